"""Checkpoints of a run: written in the background, verified when read.

`checkpoints/N` is the state after N finished updates: `state`, `ema` (apart, so
that samplers read nothing else) and as metadata the run's place in its data and
stages. The newest few are kept, and the best by the held-out metric.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import math
import os
import pathlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from orbax.checkpoint import v1 as ocp

from jaxgen.errors import RunError, UserError
from jaxgen.parallel.multihost import (
  allgather,
  failure,
  is_lead_host,
  run_on_all,
)
from jaxgen.train.state import TrainState
from jaxgen.trees import named
from jaxgen.workdir import checkpoint_index, checksums

_KEEP: Any = ocp.training.preservation_policies  # their types disagree
_SAVE: Any = ocp.training.save_decision_policies
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


def _as_dict(state: TrainState) -> dict[str, Any]:
  fields = dataclasses.fields(state)
  tree = {f.name: getattr(state, f.name) for f in fields}
  ema = tree.pop("ema")
  for name in ("traces", "control"):
    if not tree[name]:  # as in runs of before there were any
      del tree[name]
  return {"state": tree, "ema": ema}


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
  """`{"state/params/...": shape}`."""
  return {name: tuple(leaf.shape) for name, leaf in named(tree).items()}


class Checkpoints:
  """The checkpoints below one workdir."""

  def __init__(
    self,
    workdir: pathlib.Path,
    *,
    metric: str,
    max_to_keep: int = 2,
    read_only: bool = False,
  ):
    """Open `workdir/checkpoints`; a writer creates it and removes the leavings
    of saves that never ended.

    Args:
      workdir: of the run.
      metric: held-out metric, higher is better, that tells the best.
      max_to_keep: how many of the newest are kept.
      read_only: touch nothing: a training may be writing there.

    Raises:
      UserError: the folder cannot be written, or (when reading) no checkpoint
        can be told from the others because of a damaged one.
    """
    self.folder = workdir.resolve() / "checkpoints"
    self.metric = metric
    self._prepare(read_only)
    best = _KEEP.BestN(
      get_metric_fn=self._score,
      n=1,
      keep_checkpoints_without_metrics=False,
    )
    self._orbax: Any = ocp.training.Checkpointer(
      str(self.folder),
      save_decision_policy=_SAVE.FixedIntervalPolicy(1),
      preservation_policy=_KEEP.AnyPreservationPolicy(
        [_KEEP.LatestN(max_to_keep), best]
      ),
      cleanup_tmp_directories=not read_only,
    )
    self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
    self._pending: Future | None = None

  def _prepare(self, read_only: bool) -> None:
    """Create the folder; set aside what would keep Orbax from opening it."""
    broken = _unreadable_scores(self.folder)
    if read_only:
      if broken:
        raise UserError(
          f"{broken[0]} is damaged.\nTake its checkpoint away, or start the "
          "training again, which does so."
        )
      return
    try:
      self.folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
      raise UserError(f"{self.folder} cannot be written ({e.strerror}).") from e
    if is_lead_host():
      for path in broken:
        path.rename(path.with_name("damaged"))
    allgather(0)  # the others look when it is done

  def _score(self, metrics: dict[str, float]) -> float:
    return checkpoint_index.score(metrics, self.metric)

  @property
  def steps(self) -> list[int]:
    """Complete checkpoints, oldest first."""
    return [c.step for c in self._orbax.checkpoints]

  def best(self) -> int | None:
    """The step with the highest held-out metric."""
    scored = [c for c in self._orbax.checkpoints if c.metrics]
    key = lambda c: self._score(c.metrics)  # noqa: E731
    return max(scored, key=key).step if scored else None

  def save(
    self, state: TrainState, meta: dict, metrics: dict[str, float] | None
  ) -> None:
    """Start writing; the file work goes on in the background.

    Raises:
      RunError: this save, or the one before, could not be written.
    """
    self.wait()
    step = int(state.step)
    if metrics and not math.isfinite(self._score(metrics)):
      metrics = None  # what cannot be compared must not be the best
    try:
      if is_lead_host():  # of an earlier checkpoint with this number
        self._manifest(step).unlink(missing_ok=True)
      response = self._orbax.save_checkpointables_async(
        step, _as_dict(state), metrics=metrics, custom_metadata=meta, force=True
      )
    except Exception as e:
      raise RunError(_save_failed(step, e)) from e
    self._pending = self._thread.submit(self._finish, step, response)

  def _finish(self, step: int, response: Any) -> None:
    try:
      response.result()
      if is_lead_host():
        checksums.write(self.folder / str(step), self._manifest(step))
        self._drop_stale_manifests()
    except Exception as e:
      raise RunError(_save_failed(step, e)) from e

  def _manifest(self, step: int) -> pathlib.Path:
    return self.folder.parent / "manifests" / f"{step}.json"

  def _drop_stale_manifests(self) -> None:
    for path in self._manifest(0).parent.glob("*.json"):
      if not (self.folder / path.stem).exists():
        path.unlink()

  def check(self) -> None:
    """Raise the error of a save that has failed meanwhile."""
    if self._pending is not None and self._pending.done():
      self.wait()

  def wait(self) -> None:
    """Until the last save is on disk and verified."""
    pending, self._pending = self._pending, None
    if pending is not None:
      pending.result()

  def restore(
    self, abstract: Callable[[dict], TrainState]
  ) -> tuple[TrainState, dict] | None:
    """The newest good checkpoint, placed as `abstract` says of its metadata,
    and these.

    Damaged ones are said aloud, set aside as `damaged-N` in the workdir, and
    the one before is taken. None where there is no checkpoint at all.

    Raises:
      UserError: there are checkpoints, and none of them can be read, or the
        newest good one is of another model or optimizer.
      RunError: the processes see different ones, or a good one cannot be
        loaded, say for want of memory.
    """
    steps = self.steps
    newest = allgather(steps[-1] if steps else -1)
    if len(set(newest)) > 1:
      raise RunError(
        f"{self.folder}: the newest checkpoint is another one for each process "
        f"({newest}).\nIs the file system behind? Start again in a minute."
      )
    damaged = {}
    for step in reversed(steps):
      found, damaged[step] = self._try(step, abstract)
      if found is not None:
        self._set_aside(damaged)
        return found
    if steps:
      reasons = "; ".join(f"{step}: {why}" for step, why in damaged.items())
      raise UserError(
        f"{self.folder}: no checkpoint can be read ({reasons}).\n"
        "Start again in a new workdir, or restore the files from a copy."
      )
    return None

  def _try(
    self, step: int, abstract: Callable[[dict], TrainState]
  ) -> tuple[tuple[TrainState, dict] | None, str]:
    """One checkpoint, or how it is damaged."""
    reason = failure(lambda: is_lead_host() and self.verify(step))
    if reason:
      return None, reason
    found: list[Any] = []
    reason = failure(lambda: found.append(self.metadata(step)))
    if reason:
      return None, reason
    meta = found.pop()
    shapes = abstract(meta)
    run_on_all(lambda: self._check_fit(step, _as_dict(shapes)))
    reason = failure(lambda: found.append(self._read(step, shapes, meta)))
    if reason and self._manifest(step).exists():
      raise RunError(
        f"checkpoint {step} is intact, yet cannot be loaded: {reason}"
      )
    return (None, reason) if reason else (found[0], "")

  def _read(
    self, step: int, abstract: TrainState, meta: dict
  ) -> tuple[TrainState, dict]:
    tree = self._load(step, _as_dict(abstract))
    state = {"traces": {}, "control": {}} | tree["state"]
    return TrainState(**state, ema=tree["ema"]), meta

  def _load(self, step: int, abstract: dict[str, Any]) -> dict[str, Any]:
    try:
      return self._orbax.load_checkpointables(step, abstract)
    except Exception as e:
      raise ValueError(_reason(e)) from e

  def _check_fit(self, step: int, abstract: dict[str, Any]) -> None:
    """Raise a UserError where the arrays are not those that are wanted."""
    try:
      found = self._orbax.checkpointables_metadata(step).metadata
      parts = [_shapes({name: found[name]}) for name in abstract]
    except Exception:  # it is damaged, as loading it will tell
      return
    if not all(parts):  # so it is then
      return
    there = {k: v for part in parts for k, v in part.items()}
    here = _shapes(abstract)
    for name in sorted(here | there):
      if here.get(name) != there.get(name):
        raise UserError(
          f"checkpoint {step} in {self.folder} does not fit the config: "
          f"{name} is {there.get(name, 'missing')} there, "
          f"{here.get(name, 'not wanted')} here.\n"
          "Use the config it was trained with, or a new workdir."
        )

  def verify(self, step: int) -> None:
    """Raise a ValueError that names the first damaged file, if any."""
    bad = checksums.damage(self.folder / str(step), self._manifest(step))
    if bad:
      raise ValueError(f"{bad} is not as it was written")

  def metadata(self, step: int) -> dict:
    """What `save` was given as `meta`."""
    meta = self._orbax.checkpointables_metadata(step).custom_metadata
    if not isinstance(meta, dict) or not meta:
      raise ValueError("its metadata is missing")
    return meta

  def restore_ema(self, step: int, abstract: Any) -> Any:
    """Only the averaged parameters of one checkpoint."""
    self.verify(step)
    self.metadata(step)
    self._check_fit(step, {"ema": abstract})
    return self._load(step, {"ema": abstract})["ema"]

  def _set_aside(self, damaged: dict[int, str]) -> None:
    """Move the checkpoints away that there is a reason for."""
    for step in filter(damaged.get, damaged) if is_lead_host() else ():
      target = self.folder.parent / f"damaged-{step}"
      while target.exists():
        target = target.with_name(f"{target.name}-again")
      (self.folder / str(step)).rename(target)
      self._manifest(step).unlink(missing_ok=True)
      print(
        f"checkpoint {step} is damaged ({damaged[step]}); "
        f"kept as {target.name}."
      )
    allgather(0)  # the others look again when it is done
    self._orbax.reload()

  def close(self) -> None:
    """Finish the last save and release the folder."""
    try:
      self.wait()
    finally:
      self._thread.shutdown()
      with contextlib.suppress(Exception):  # says again what wait() has said
        self._orbax.close()


def _unreadable_scores(folder: pathlib.Path) -> list[pathlib.Path]:
  """Damaged files of held-out metrics: Orbax opens no checkpoint then."""
  broken = []
  for path in folder.glob("*/metrics/metrics"):
    with contextlib.suppress(FileNotFoundError):  # just deleted by a training
      try:
        checkpoint_index.read_scores(path)
      except ValueError:
        broken.append(path)
  return broken


def _reason(error: BaseException) -> str:
  """One line: of a chain of errors the first, of a system's error its name."""
  while error.__cause__ is not None:
    error = error.__cause__
  if isinstance(error, OSError) and error.strerror:
    return error.strerror
  text = str(error).strip() or type(error).__name__
  known = [os.strerror(code) for code in _FULL if os.strerror(code) in text]
  return (known or text.splitlines())[0][:200]


def _save_failed(step: int, error: Exception) -> str:
  return (
    f"checkpoint {step} could not be written ({_reason(error)}).\n"
    "The checkpoints before it are intact: mend the disk, then start again."
  )
