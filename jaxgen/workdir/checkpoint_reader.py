"""Checkpoints of a run, opened to be read: chosen, verified, restored.

`checkpoints/N` is the run after N finished updates: named trees of arrays (of a
training run `state` and `ema`, apart, so that samplers read nothing else),
held-out metrics, and as metadata the run's position in its data and stages.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import pathlib
from collections.abc import Mapping, MutableMapping
from typing import Any

from orbax.checkpoint import v1 as ocp

from jaxgen.errors import UserError
from jaxgen.trees import named
from jaxgen.workdir import checkpoint_index, checksums

Trees = Mapping[str, Any]  # named trees: of arrays, or of their shapes
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
  """The checkpoints of a run, which may be training: nothing is written."""

  def __init__(self, workdir: pathlib.Path, *, metric: str):
    """Open the checkpoints of a run.

    Args:
      workdir: the run's folder.
      metric: held-out metric, higher is better, that selects the best.

    Raises:
      UserError: a file of held-out metrics is damaged, so that no checkpoint
        can be told from the others.
    """
    if damaged := checkpoint_index.damaged_scores(workdir):
      raise UserError(
        f"{damaged[0]} is damaged.\nMove its checkpoint away, or resume the "
        "training run, which does so."
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
    """The step with the highest held-out metric; None where none has any."""
    scored = [c for c in self._orbax.checkpoints if c.metrics]
    best = max(scored, key=lambda c: self._rank(c.metrics), default=None)
    return None if best is None else best.step

  def _rank(self, scores: Mapping[str, float]) -> float:
    return checkpoint_index.rank(scores, self.metric)

  def metadata(self, step: int) -> Metadata:
    """The metadata that a checkpoint was saved with.

    Raises:
      ValueError: they are missing.
    """
    metadata = self._orbax.checkpointables_metadata(step).custom_metadata
    if not isinstance(metadata, dict) or not metadata:
      raise ValueError("its metadata is missing")
    return metadata

  def verify(self, step: int) -> None:
    """Raise a ValueError that names the first damaged file, if any."""
    path = checksums.path_of(self.workdir, step)
    damaged = checksums.first_damaged(self.folder / str(step), path)
    if damaged:
      raise ValueError(f"{damaged} is not as it was written")

  def read(self, step: int, shapes: Trees) -> dict[str, Any]:
    """Those trees of one checkpoint that `shapes` names.

    Raises:
      UserError: the arrays have other names or shapes.
      ValueError: the checkpoint is damaged.
    """
    self.verify(step)
    self.metadata(step)
    self.check_shapes(step, shapes)
    return self.load(step, shapes)

  def load(self, step: int, shapes: Trees) -> dict[str, Any]:
    """The trees that `shapes` names, placed as it says, without a check.

    Raises:
      ValueError: they cannot be loaded.
    """
    try:
      return self._orbax.load_checkpointables(step, dict(shapes))
    except Exception as e:
      raise ValueError(root_cause(e)) from e

  def check_shapes(self, step: int, shapes: Trees) -> None:
    """Raise a UserError where a checkpoint holds other arrays than `shapes`."""
    try:
      saved = self._orbax.checkpointables_metadata(step).metadata
      trees = [_leaf_shapes({name: saved[name]}) for name in shapes]
    except Exception:  # it is damaged, which loading it will find
      return
    if not all(trees):  # here, too
      return
    if mismatch := _mismatch(
      collections.ChainMap(*trees), _leaf_shapes(shapes)
    ):
      raise UserError(
        f"checkpoint {step} in {self.folder} does not fit the config: "
        f"{mismatch}.\nUse the config it was trained with, or a new workdir."
      )

  def reload(self) -> None:
    """List the checkpoints again."""
    self._orbax.reload()

  def close(self) -> None:
    """Release the folder."""
    with contextlib.suppress(Exception):  # it repeats the error of a save
      self._orbax.close()


def choose_step(reader: CheckpointReader, checkpoint: str | int) -> int:
  """The step that `best`, `latest` or a step names.

  Raises:
    UserError: there is no such checkpoint.
  """
  steps, workdir = reader.steps, reader.workdir
  if not steps:
    raise UserError(f"{workdir} holds no checkpoint yet.")
  if checkpoint == "latest":
    return steps[-1]
  if checkpoint == "best":
    best = reader.best()
    return steps[-1] if best is None else best
  if not str(checkpoint).isdigit() or int(checkpoint) not in steps:
    raise UserError(
      f"{workdir} has no checkpoint {checkpoint!r}; there are {steps}, "
      "and the words best, latest and ema-SIGMA_REL."
    )
  return int(checkpoint)


def _leaf_shapes(trees: Trees) -> LeafShapes:
  """`{"state/params/...": shape}`."""
  return {name: tuple(leaf.shape) for name, leaf in named(trees).items()}


def _mismatch(saved: LeafShapes, expected: LeafShapes) -> str:
  """The first leaf that differs, and its two shapes; empty where none does."""
  for name in sorted({*saved, *expected}):
    there, here = saved.get(name, "missing"), expected.get(name, "not expected")
    if there != here:
      return f"{name} is {there} there, {here} here"
  return ""


def root_cause(error: BaseException) -> str:
  """One line that says why: of a chain of errors the first, of a system's
  error its name."""
  while error.__cause__ is not None:
    error = error.__cause__
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  text = str(error).strip() or type(error).__name__
  known = [text_ for text_ in map(os.strerror, _DISK_ERRORS) if text_ in text]
  return (known or text.splitlines())[0][:200]
