"""One of two processes of `parallel/test_multihost.py`, with less memory.

scarce_peer.py FLAGS OF TRAIN: the second process has no memory for undivided
batches of 24 pixels, as XLA says it.
"""

import sys

import jax

from jaxgen.cli.main import main
from jaxgen.train import stage

make_update = stage.make_update


def scarce_update(*args, stage, **options):
  update = make_update(*args, stage=stage, **options)

  def step(state, batch, schedule):
    scarce = jax.process_index() == 1 and stage.resolution == 24
    if scarce and stage.accumulate < 2:
      raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
    return update(state, batch, schedule)

  return step


if __name__ == "__main__":
  stage.make_update = scarce_update
  sys.exit(main(sys.argv[1:]))
