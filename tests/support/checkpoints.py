"""Training states saved to a workdir and restored from it, for tests."""

import pathlib

from jaxgen.train.state import TrainState, from_trees, to_trees
from jaxgen.workdir.checkpoint_recovery import restore_newest
from jaxgen.workdir.checkpoints import Checkpoints

METADATA = {"stage": 0, "data": "x"}


def save_state(workdir: pathlib.Path, state: TrainState) -> None:
  """Save a state as the only checkpoint."""
  store = Checkpoints(workdir, metric="psnr")
  store.save(
    int(state.step), to_trees(state), metadata=METADATA, scores={"psnr": 1.0}
  )
  store.close()


def restore_state(
  workdir: pathlib.Path, shapes: TrainState, *, saved_here: bool = True
) -> TrainState:
  """Restore the newest state, placed as `shapes` says; that of a real run has
  metadata of its own."""
  store = Checkpoints(workdir, metric="psnr")
  restored = restore_newest(store, lambda _: to_trees(shapes))
  store.close()
  assert restored is not None
  trees, metadata = restored
  assert (metadata == METADATA) == saved_here
  return from_trees(trees)
