"""Reader of a run's checkpoints: selects, verifies and restores them.

`checkpoints/N` is the run after N finished updates: named trees of arrays (for
a training run `state` and `ema`, separate so that samplers read only `ema`),
held-out metrics, and as metadata the run's position in its data and stages.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import pathlib
import warnings
from collections.abc import Mapping, MutableMapping
from typing import Any

from orbax.checkpoint import v1 as ocp

from jaxgen.errors import UserError
from jaxgen.trees import named
from jaxgen.workdir import checkpoint_index, checksums
from jaxgen.workdir.checksums import Evidence

Trees = Mapping[str, Any]  # named trees of arrays or of their shapes
Metadata = dict[str, Any]
LeafShapes = MutableMapping[str, tuple[int, ...]]

_DISK_ERRORS = (
  errno.ENOSPC,
  errno.EDQUOT,
  errno.EFBIG,
  errno.EROFS,
  errno.EACCES,
)


class CheckpointReader:
  """Read-only access to the checkpoints of a run, which may be training."""

  def __init__(self, workdir: pathlib.Path, *, metric: str):
    """Open the checkpoints of a run.

    Args:
      workdir: the run's folder.
      metric: held-out metric, higher is better, that selects the best.

    Raises:
      UserError: a file of held-out metrics is damaged, so that Orbax cannot
        open the folder.
    """
    if damaged := checkpoint_index.damaged_scores(workdir):
      raise UserError(
        f"{damaged[0]} is damaged; move its checkpoint to another folder, or "
        "resume the training run, which does so."
      )
    self._open(workdir, metric)

  def _open(
    self, workdir: pathlib.Path, metric: str, **orbax_options: Any
  ) -> None:
    self.workdir = workdir.resolve()
    self.folder = self.workdir / checkpoint_index.FOLDER
    self.metric = metric
    self._orbax: Any = ocp.training.Checkpointer(
      str(self.folder), **orbax_options
    )

  @property
  def steps(self) -> list[int]:
    """The steps of complete checkpoints, oldest first."""
    return [c.step for c in self._orbax.checkpoints]

  def best(self) -> int | None:
    """The step with the highest held-out metric; None if there are none."""
    scored = [c for c in self._orbax.checkpoints if c.metrics]
    best = max(scored, key=lambda c: self._rank(c.metrics), default=None)
    return None if best is None else best.step

  def _rank(self, scores: Mapping[str, float]) -> float:
    return checkpoint_index.rank(scores, self.metric)

  def metadata(self, step: int) -> Metadata:
    """The metadata saved with a checkpoint.

    Raises:
      ValueError: the metadata is missing.
    """
    metadata = self._orbax.checkpointables_metadata(step).custom_metadata
    if not isinstance(metadata, dict) or not metadata:
      raise ValueError("its metadata is missing")
    return metadata

  def verify(self, step: int) -> Evidence:
    """Compare a checkpoint with its checksums.

    Raises:
      ValueError: a file is damaged.
    """
    path = checksums.path_of(self.workdir, step)
    return checksums.verify(self.folder / str(step), path)

  def read(self, step: int, shapes: Trees) -> dict[str, Any]:
    """The trees of a checkpoint named by `shapes`, after all checks; a warning
    is given if it cannot be verified.

    Raises:
      UserError: the arrays have other names or shapes.
      ValueError: the checkpoint is damaged.
    """
    evidence = self.verify(step)
    path = checksums.path_of(self.workdir, step)
    if evidence is Evidence.UNREADABLE:
      raise ValueError(
        f"its checksums cannot be read; remove {path} to load it unverified"
      )
    if evidence is Evidence.MISSING:
      warnings.warn(
        f"checkpoint {step} is not verified: {path} is missing.", stacklevel=2
      )
    self.metadata(step)
    self.check_shapes(step, shapes)
    return self.load(step, shapes)

  def load(self, step: int, shapes: Trees) -> dict[str, Any]:
    """The trees named by `shapes`, with its shardings, without checks.

    Raises:
      ValueError: the trees cannot be loaded.
    """
    try:
      return self._orbax.load_checkpointables(step, dict(shapes))
    except Exception as e:
      raise ValueError(root_cause(e)) from e

  def check_shapes(self, step: int, shapes: Trees) -> None:
    """Raise a UserError if the arrays of a checkpoint differ from `shapes`."""
    try:
      saved = self._orbax.checkpointables_metadata(step).metadata
      trees = [_leaf_shapes({name: saved[name]}) for name in shapes]
    except Exception:  # damaged: loading raises the error
      return
    if not all(trees):  # likewise
      return
    if mismatch := _mismatch(
      collections.ChainMap(*trees), _leaf_shapes(shapes)
    ):
      raise UserError(
        f"checkpoint {step} in {self.folder} does not fit the config: "
        f"{mismatch}; use the config it was trained with, or a new workdir."
      )

  def reload(self) -> None:
    """Refresh the list of checkpoints."""
    self._orbax.reload()

  def close(self) -> None:
    """Release the folder."""
    with contextlib.suppress(Exception):  # Orbax raises a save's error again
      self._orbax.close()


def choose_step(reader: CheckpointReader, checkpoint: str | int) -> int:
  """The step of a checkpoint given as `best`, `latest` or a step.

  Raises:
    UserError: the checkpoint does not exist.
  """
  steps, workdir = reader.steps, reader.workdir
  if not steps:
    raise UserError(f"{workdir} has no checkpoint yet.")
  if checkpoint == "latest":
    return steps[-1]
  if checkpoint == "best":
    best = reader.best()
    return steps[-1] if best is None else best
  if not str(checkpoint).isdigit() or int(checkpoint) not in steps:
    raise UserError(
      f"{workdir} has no checkpoint {checkpoint!r}; expected one of {steps}, "
      "or best, latest or ema-SIGMA_REL."
    )
  return int(checkpoint)


def _leaf_shapes(trees: Trees) -> LeafShapes:
  """The shapes of all leaves, `{"state/params/...": shape}`."""
  return {name: tuple(leaf.shape) for name, leaf in named(trees).items()}


def _mismatch(saved: LeafShapes, expected: LeafShapes) -> str:
  """The first leaf that differs, with both shapes; empty if all match."""
  for name in sorted({*saved, *expected}):
    old, new = saved.get(name, "missing"), expected.get(name, "no such array")
    if old != new:
      return f"{name}: expected {new}, got {old}"
  return ""


def root_cause(error: BaseException) -> str:
  """The cause of an error in one line: the first of a chain; for an OSError
  its `strerror`."""
  while error.__cause__ is not None:
    error = error.__cause__
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  text = str(error).strip() or type(error).__name__
  known = [text_ for text_ in map(os.strerror, _DISK_ERRORS) if text_ in text]
  return (known or text.splitlines())[0][:200]
