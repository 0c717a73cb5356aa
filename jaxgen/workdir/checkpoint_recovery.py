"""Recovery of a run from its newest intact checkpoint.

A damaged checkpoint is reported and moved to `damaged-N` in the workdir. One
that cannot be verified is used, and that is reported; if its checksums exist
but cannot be read, only if there is no other.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from jaxgen.errors import RunError, UserError
from jaxgen.formats.atomic import rename
from jaxgen.parallel.multihost import (
  allgather,
  failure,
  is_lead_host,
  run_on_all,
)
from jaxgen.workdir import checkpoint_index, checksums
from jaxgen.workdir.checkpoint_reader import Metadata, Trees
from jaxgen.workdir.checkpoints import Checkpoints
from jaxgen.workdir.checksums import Evidence

T = TypeVar("T")
Restored = tuple[dict[str, Any], Metadata]  # trees of arrays, and metadata


class _DamagedError(Exception):
  """A damaged checkpoint, with the reason."""


def restore_newest(
  checkpoints: Checkpoints, shapes: Callable[[Metadata], Trees]
) -> Restored | None:
  """The newest intact checkpoint and its metadata; None if there are none.

  Damaged checkpoints are skipped in favor of older ones.

  Args:
    checkpoints: the checkpoints of the run.
    shapes: maps the metadata of a checkpoint to its expected trees, as shapes
      with shardings.

  Raises:
    UserError: none of the checkpoints can be read, or the newest intact one
      does not match the model or optimizer.
    RunError: the processes see different checkpoints, or an intact one cannot
      be loaded, for example for lack of memory.
  """
  _check_same_newest(checkpoints)
  damaged: dict[int, str] = {}
  for step, evidence in _candidates(checkpoints, damaged):
    try:
      restored = _restore(checkpoints, step, shapes, evidence=evidence)
    except _DamagedError as e:
      damaged[step] = str(e)
      continue
    damaged.pop(step, None)
    _move_damaged(checkpoints.workdir, damaged)
    _write_missing(checkpoints, step, evidence)
    checkpoints.reload()
    return restored
  if damaged:
    reasons = "; ".join(f"{k}: {damaged[k]}" for k in sorted(damaged)[::-1])
    raise UserError(
      f"{checkpoints.folder}: no checkpoint can be read ({reasons})."
      " Start over in a new workdir, or restore the files from a backup."
    )
  return None


def _candidates(
  checkpoints: Checkpoints, damaged: dict[int, str]
) -> Iterator[tuple[int, Evidence]]:
  """The checkpoints to try, newest first; those whose checksums cannot be read
  only after all others. The others are added to `damaged`."""
  unreadable = []
  for step in reversed(checkpoints.steps):
    try:
      evidence = _evidence(checkpoints, step)
    except _DamagedError as e:
      damaged[step] = str(e)
      continue
    if evidence is not Evidence.UNREADABLE:
      yield step, evidence
      continue
    damaged[step] = "its checksums cannot be read"
    unreadable.append(step)
  for step in unreadable:
    yield step, Evidence.UNREADABLE


def _evidence(checkpoints: Checkpoints, step: int) -> Evidence:
  """What the checksums say, read by the lead host for all.

  Raises:
    _DamagedError: on all processes, if a file is damaged.
  """
  evidence = _on_all(
    lambda: checkpoints.verify(step) if is_lead_host() else Evidence.VERIFIED
  )
  return Evidence(max(allgather(evidence)))


def _check_same_newest(checkpoints: Checkpoints) -> None:
  """Raise a RunError if the processes see different newest checkpoints."""
  steps = checkpoints.steps
  newest = allgather(steps[-1] if steps else -1)
  if len(set(newest)) > 1:
    raise RunError(
      f"{checkpoints.folder}: the processes see different newest checkpoints "
      f"({newest}); if the file system lags, restart in a minute."
    )


def _restore(
  checkpoints: Checkpoints,
  step: int,
  shapes: Callable[[Metadata], Trees],
  *,
  evidence: Evidence,
) -> Restored:
  """A checkpoint and its metadata.

  Raises:
    _DamagedError: on all processes, if it is damaged on any.
  """
  metadata = _on_all(lambda: checkpoints.metadata(step))
  expected = shapes(metadata)
  run_on_all(lambda: checkpoints.check_shapes(step, expected))
  try:
    return _on_all(lambda: checkpoints.load(step, expected)), metadata
  except _DamagedError as e:
    if evidence is Evidence.VERIFIED:
      raise RunError(
        f"checkpoint {step} is intact but cannot be loaded: {e}"
      ) from e
    raise


def _write_missing(
  checkpoints: Checkpoints, step: int, evidence: Evidence
) -> None:
  """Report a checkpoint that was restored but not verified, and write its
  checksums."""
  if evidence is Evidence.VERIFIED or not is_lead_host():
    return
  why = "missing" if evidence is Evidence.MISSING else "unreadable"
  print(f"checkpoint {step} is not verified: its checksums were {why}.")
  path = checksums.path_of(checkpoints.workdir, step)
  checksums.write(checkpoints.folder / str(step), path)


def _on_all(action: Callable[[], T]) -> T:
  """The result of an action.

  Raises:
    _DamagedError: on all processes, if the action fails on any.
  """
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
    rename(workdir / checkpoint_index.FOLDER / str(step), target)
    checksums.path_of(workdir, step).unlink(missing_ok=True)
    print(f"checkpoint {step} is damaged ({reason}); moved to {target.name}.")
  allgather(0)  # barrier: then all processes list the checkpoints
