"""Checkpoints of a run: written in the background, verified when read.

`checkpoints/N` is the state after N finished updates: `state`, `ema` (apart, so
that samplers read nothing else) and as metadata the run's place in its data and
stages. The newest few are kept, and the best by the held-out metric.
"""

from __future__ import annotations

import dataclasses
import pathlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from orbax.checkpoint import v1 as ocp

from jaxgen.errors import RunError, UserError
from jaxgen.train import manifest
from jaxgen.train.processes import failure, is_first, shared
from jaxgen.train.state import TrainState

_KEEP = ocp.training.preservation_policies
_SAVE = ocp.training.save_decision_policies


def _as_dict(state: TrainState) -> dict[str, Any]:
  fields = dataclasses.fields(state)
  tree = {f.name: getattr(state, f.name) for f in fields}
  ema = tree.pop("ema")
  return {"state": tree, "ema": ema}


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
    """
    self.folder = workdir.resolve() / "checkpoints"
    self.metric = metric
    best = _KEEP.BestN(
      get_metric_fn=lambda m: m[metric],
      n=1,
      keep_checkpoints_without_metrics=False,
    )
    self._orbax = ocp.training.Checkpointer(
      self.folder,
      save_decision_policy=_SAVE.FixedIntervalPolicy(1),
      preservation_policy=_KEEP.AnyPreservationPolicy(
        [_KEEP.LatestN(max_to_keep), best]
      ),
      cleanup_tmp_directories=not read_only,
    )
    self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
    self._pending: Future | None = None

  @property
  def steps(self) -> list[int]:
    """Complete checkpoints, oldest first."""
    return [c.step for c in self._orbax.checkpoints]

  def best(self) -> int | None:
    """The step with the highest held-out metric."""
    scored = [c for c in self._orbax.checkpoints if c.metrics]
    key = lambda c: c.metrics[self.metric]  # noqa: E731
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
    try:
      response = self._orbax.save_checkpointables_async(
        step, _as_dict(state), metrics=metrics, custom_metadata=meta, force=True
      )
    except Exception as e:
      raise RunError(_save_failed(step, e)) from e
    self._pending = self._thread.submit(self._finish, step, response)

  def _finish(self, step: int, response: Any) -> None:
    try:
      response.result()
      if is_first():
        manifest.write(self.folder / str(step), self._manifest(step))
        self._drop_stale_manifests()
    except Exception as e:
      raise RunError(_save_failed(step, e)) from e

  def _manifest(self, step: int) -> pathlib.Path:
    return self.folder.parent / "manifests" / f"{step}.json"

  def _drop_stale_manifests(self) -> None:
    for path in self._manifest(0).parent.glob("*.json"):
      if not (self.folder / path.stem).exists():
        path.unlink()

  def wait(self) -> None:
    """Until the last save is on disk and verified."""
    pending, self._pending = self._pending, None
    if pending is not None:
      pending.result()

  def restore(
    self, abstract: TrainState, say: Any = print
  ) -> tuple[TrainState, dict] | None:
    """The newest good checkpoint, placed as `abstract` says, and its metadata.

    Damaged ones are said aloud, set aside as `checkpoints/damaged-N`, and the
    one before is taken. None where there is no checkpoint at all.

    Raises:
      UserError: there are checkpoints, and none of them can be read.
      RunError: the processes see different ones.
    """
    steps = self.steps
    newest = shared(steps[-1] if steps else -1)
    if len(set(newest)) > 1:
      raise RunError(
        f"{self.folder}: the newest checkpoint is another one for each process "
        f"({newest}).\nIs the file system behind? Start again in a minute."
      )
    for step in reversed(steps):
      found, reason = self._try(step, abstract)
      if found is not None:
        return found
      if is_first():
        say(f"checkpoint {step} is damaged ({reason}); set aside.")
      self._set_aside(step)
    if steps:
      raise UserError(
        f"{self.folder}: no checkpoint could be read (tried {steps}).\n"
        "Start again in a new workdir, or restore the files from a copy."
      )
    return None

  def _try(
    self, step: int, abstract: TrainState
  ) -> tuple[tuple[TrainState, dict] | None, str]:
    """One checkpoint, or why it cannot be read by all processes."""
    found = []
    reason = failure(lambda: is_first() and self.verify(step)) or failure(
      lambda: found.append(self._read(step, abstract))
    )
    return (None, reason) if reason else (found[0], "")

  def _read(self, step: int, abstract: TrainState) -> tuple[TrainState, dict]:
    meta = self.metadata(step)
    tree = self._orbax.load_checkpointables(step, _as_dict(abstract))
    return TrainState(**tree["state"], ema=tree["ema"]), meta

  def verify(self, step: int) -> None:
    """Raise a ValueError that names the first damaged file, if any."""
    bad = manifest.damage(self.folder / str(step), self._manifest(step))
    if bad:
      raise ValueError(f"{bad} is not as it was written")

  def metadata(self, step: int) -> dict:
    """What `save` was given as `meta`."""
    meta = self._orbax.checkpointables_metadata(step).custom_metadata
    if not isinstance(meta, dict):
      raise ValueError("its metadata is missing")
    return meta

  def restore_ema(self, step: int, abstract: Any) -> Any:
    """Only the averaged parameters of one checkpoint."""
    self.verify(step)
    return self._orbax.load_checkpointables(step, {"ema": abstract})["ema"]

  def _set_aside(self, step: int) -> None:
    if is_first():
      target = self.folder.parent / f"damaged-{step}"
      (self.folder / str(step)).rename(target)
      self._manifest(step).unlink(missing_ok=True)
    shared(step)  # the others look again when it is done
    self._orbax.reload()

  def close(self) -> None:
    """Finish the last save and release the folder."""
    try:
      self.wait()
    finally:
      self._thread.shutdown()
      self._orbax.close()


def _first_line(error: Exception) -> str:
  return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _save_failed(step: int, error: Exception) -> str:
  return (
    f"checkpoint {step} could not be written ({_first_line(error)}).\n"
    "The checkpoints before it are intact: free disk space, then start again."
  )
