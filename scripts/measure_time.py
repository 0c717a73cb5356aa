"""Compare the time that `jaxgen plan` predicts with that of training steps.

    python scripts/measure_time.py

For the combinations of `measure_memory.py`: the predicted time of 1000 images,
from the compiled step and the rates of this machine, against the median of a
few steps. Needs an idle machine; takes a quarter of an hour on two CPU cores.
"""

from __future__ import annotations

import argparse

import jax
import jax.numpy as jnp
from measure_memory import (  # pyright: ignore[reportMissingImports]
  COMBINATIONS,
  program_of,
)

from jaxgen.planning import cost, roofline
from jaxgen.train.schedule import stage_schedule
from jaxgen.train.stage import StageProgram


def main() -> None:
  """Predict, measure and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    "--repeats", type=int, default=4, help="timed steps (default: 4)"
  )
  parser.add_argument(
    "--only", type=int, action="append", help="index of a combination"
  )
  args = parser.parse_args()
  speed = roofline.measure(jnp.float32, 1)
  print(
    f"{speed.flops / 1e9:.0f} GFLOP/s and {speed.bandwidth / 1e9:.1f} GB/s;",
    "seconds for 1000 images: predicted, measured, error",
  )
  for index in args.only or range(len(COMBINATIONS)):
    combination = COMBINATIONS[index]
    program = program_of(combination)
    predicted = cost.describe(program, speed)["seconds_per_1000"]
    seconds = step_seconds(program, repeats=args.repeats)
    measured = 1000 * seconds / program.stage.batch_size
    error = f"{predicted / measured - 1:+.0%}"
    numbers = f"{predicted:.1f} {measured:.1f} {error}"
    print(combination.config, combination.label, numbers, flush=True)


def step_seconds(program: StageProgram, *, repeats: int) -> float:
  """The median time of an update, on a batch of zeros."""
  shapes = cost.batch_shapes(program)
  batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  schedule = stage_schedule(program.experiment, program.index)
  state = program.fresh_state()

  def call():
    nonlocal state
    state, metrics = program.update(state, batch, schedule)
    return metrics

  return roofline.seconds(call, repeats)


if __name__ == "__main__":
  main()
