"""Recovery of a run: its newest good checkpoint.

A damaged checkpoint is reported and moved to `damaged-N` in the workdir.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from jaxgen.errors import RunError, UserError
from jaxgen.parallel.multihost import (
  allgather,
  failure,
  is_lead_host,
  run_on_all,
)
from jaxgen.workdir import checkpoint_index, checksums
from jaxgen.workdir.checkpoint_reader import Metadata, Trees
from jaxgen.workdir.checkpoints import Checkpoints

T = TypeVar("T")
Restored = tuple[dict[str, Any], Metadata]  # trees of arrays, and metadata


class _DamagedError(Exception):
  """A checkpoint cannot be read, and why."""


def restore_newest(
  checkpoints: Checkpoints, shapes: Callable[[Metadata], Trees]
) -> Restored | None:
  """The newest good checkpoint and its metadata; None where there is none.

  Where the newest is damaged, the one before is taken.

  Args:
    checkpoints: those of the run that resumes.
    shapes: from the metadata of a checkpoint to the trees that are expected of
      it, as shapes with shardings.

  Raises:
    UserError: there are checkpoints, and none of them can be read, or the
      newest good one is of another model or optimizer.
    RunError: the processes see different ones, or a good one cannot be
      loaded, for example for lack of memory.
  """
  _check_same_newest(checkpoints)
  damaged: dict[int, str] = {}
  for step in reversed(checkpoints.steps):
    try:
      restored = _restore(checkpoints, step, shapes)
    except _DamagedError as e:
      damaged[step] = str(e)
      continue
    _move_damaged(checkpoints.workdir, damaged)
    checkpoints.reload()
    return restored
  if damaged:
    reasons = "; ".join(f"{step}: {why}" for step, why in damaged.items())
    raise UserError(
      f"{checkpoints.folder}: no checkpoint can be read ({reasons}).\n"
      "Start again in a new workdir, or restore the files from a copy."
    )
  return None


def _check_same_newest(checkpoints: Checkpoints) -> None:
  """Raise a RunError where the processes see different newest checkpoints."""
  steps = checkpoints.steps
  newest = allgather(steps[-1] if steps else -1)
  if len(set(newest)) > 1:
    raise RunError(
      f"{checkpoints.folder}: the newest checkpoint is another one for each "
      f"process ({newest}).\nIf the file system lags, start again in a minute."
    )


def _restore(
  checkpoints: Checkpoints, step: int, shapes: Callable[[Metadata], Trees]
) -> Restored:
  """One checkpoint and its metadata; a _DamagedError on all processes where it
  is damaged on any."""
  _on_all(lambda: is_lead_host() and checkpoints.verify(step))
  metadata = _on_all(lambda: checkpoints.metadata(step))
  expected = shapes(metadata)
  run_on_all(lambda: checkpoints.check_shapes(step, expected))
  try:
    return _on_all(lambda: checkpoints.load(step, expected)), metadata
  except _DamagedError as e:
    if checksums.path_of(checkpoints.workdir, step).exists():
      raise RunError(
        f"checkpoint {step} is intact, yet cannot be loaded: {e}"
      ) from e
    raise


def _on_all(action: Callable[[], T]) -> T:
  """The result of an action; a _DamagedError on all processes where it fails on
  any."""
  results: list[T] = []
  if reason := failure(lambda: results.append(action())):
    raise _DamagedError(reason)
  return results[0]


def _move_damaged(workdir: pathlib.Path, damaged: Mapping[int, str]) -> None:
  """Report damaged checkpoints and move them to `damaged-N`."""
  for step, reason in damaged.items() if is_lead_host() else ():
    target = workdir / f"damaged-{step}"
    while target.exists():
      target = target.with_name(f"{target.name}-again")
    (workdir / checkpoint_index.FOLDER / str(step)).rename(target)
    checksums.path_of(workdir, step).unlink(missing_ok=True)
    print(f"checkpoint {step} is damaged ({reason}); moved to {target.name}.")
  allgather(0)  # the others look again when that is done
