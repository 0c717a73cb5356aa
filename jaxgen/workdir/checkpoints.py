"""Checkpoints of a training run, written in the background.

The newest few are kept, and the best by the held-out metric.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from orbax.checkpoint import v1 as ocp

from jaxgen.errors import RunError, UserError
from jaxgen.formats.atomic import rename
from jaxgen.parallel.multihost import allgather, is_lead_host
from jaxgen.workdir import checkpoint_index, checksums
from jaxgen.workdir.checkpoint_reader import (
  CheckpointReader,
  Metadata,
  Trees,
  root_cause,
)

_KEEP: Any = ocp.training.preservation_policies  # inconsistently typed
_SAVE: Any = ocp.training.save_decision_policies

# Devices share the transfer of a replicated array, which costs a small one a
# program for each device.
_MIN_SHARED_BYTES = 1 << 20


class Checkpoints(CheckpointReader):
  """The checkpoints of a run, opened by the training run itself."""

  def __init__(
    self, workdir: pathlib.Path, *, metric: str, max_to_keep: int = 2
  ):
    """Create the folder if needed, and remove leftovers of unfinished saves.

    Args:
      workdir: the run's folder.
      metric: held-out metric, higher is better, that selects the best.
      max_to_keep: number of newest checkpoints to keep.

    Raises:
      UserError: the folder cannot be written.
    """
    _prepare(workdir.resolve())
    best = _KEEP.BestN(
      get_metric_fn=self._rank, n=1, keep_checkpoints_without_metrics=False
    )
    self._open(
      workdir,
      metric,
      context=_context(),
      save_decision_policy=_SAVE.FixedIntervalPolicy(1),
      preservation_policy=_KEEP.AnyPreservationPolicy(
        [_KEEP.LatestN(max_to_keep), best]
      ),
      cleanup_tmp_directories=True,
    )
    self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
    self._pending: Future[None] | None = None

  def save(
    self,
    step: int,
    trees: Trees,
    *,
    metadata: Metadata,
    scores: Mapping[str, float] | None = None,
  ) -> None:
    """Start to write a checkpoint; files are written in the background.

    Args:
      step: finished updates.
      trees: named trees of arrays.
      metadata: the run's position, as JSON values; not empty.
      scores: held-out metrics at this step, if any.

    Raises:
      RunError: this save or the previous one could not be written.
    """
    self.wait()
    if scores and not math.isfinite(self._rank(scores)):
      scores = None  # never rank a non-finite score as the best
    try:
      if is_lead_host():  # left by an earlier checkpoint of this step
        checksums.path_of(self.workdir, step).unlink(missing_ok=True)
      response = self._orbax.save_checkpointables_async(
        step, dict(trees), metrics=scores, custom_metadata=metadata, force=True
      )
    except Exception as e:
      raise RunError(_save_failed(step, e)) from e
    self._pending = self._thread.submit(self._finish, step, response)

  def _finish(self, step: int, response: Any) -> None:
    try:
      response.result()
      if is_lead_host():
        path = checksums.path_of(self.workdir, step)
        checksums.write(self.folder / str(step), path)
        checksums.remove_stale(self.workdir)
    except Exception as e:
      raise RunError(_save_failed(step, e)) from e

  def check(self) -> None:
    """Raise the error of a background save that has failed."""
    if self._pending is not None and self._pending.done():
      self.wait()

  def wait(self) -> None:
    """Wait until the last save is on disk with its checksums."""
    pending, self._pending = self._pending, None
    if pending is not None:
      pending.result()

  def close(self) -> None:
    """Finish the last save and release the folder."""
    try:
      self.wait()
    finally:
      self._thread.shutdown()
      super().close()


def _context() -> Any:
  """How arrays are saved."""
  saving = ocp.options.ArrayOptions.Saving(
    min_slice_bytes_for_replica_parallel=_MIN_SHARED_BYTES
  )
  return ocp.Context(array_options=ocp.options.ArrayOptions(saving=saving))


def _prepare(workdir: pathlib.Path) -> None:
  """Create the folder, and rename files that prevent Orbax from opening it."""
  folder = workdir / checkpoint_index.FOLDER
  damaged = checkpoint_index.damaged_scores(workdir)
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise UserError(f"{folder} cannot be written ({e.strerror}).") from e
  if is_lead_host():
    for path in damaged:
      rename(path, path.with_name("damaged"))
  allgather(0)  # barrier: then all processes open the folder


def _save_failed(step: int, error: Exception) -> str:
  return (
    f"checkpoint {step} could not be written ({root_cause(error)})."
    " Earlier checkpoints are intact: fix the disk, then restart."
  )
