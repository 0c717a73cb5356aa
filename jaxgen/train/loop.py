"""The one training loop.

Each turn, in this order: evaluate, save, fetch, step, log. Metrics are read one
step late, so that reading them never makes the device wait. Everything that is
due at a number of images is due at the first step that reaches it.
"""

from __future__ import annotations

import contextlib
import math
import pathlib
from collections.abc import Iterator

import jax
import numpy as np

from jaxgen.errors import RunError
from jaxgen.parallel.preemption import Stop, watching
from jaxgen.parallel.sharding import Devices
from jaxgen.planning.autobatch import OutOfMemory, halve
from jaxgen.train.setup import Run, Setup, open_run, set_up
from jaxgen.train.state import TrainState, finite
from jaxgen.typing import Batch
from jaxgen.workdir.claim import claim, record


def train(
  config,
  workdir: pathlib.Path,
  *,
  allow_config_change: bool = False,
  devices: Devices = None,
) -> bool:
  """Train a config in a workdir, or go on where a checkpoint there left it.

  Args:
    config: what to train.
    workdir: the run's folder; several processes must share it.
    allow_config_change: resume although the config or the data changed.
    devices: to train on, by default all of all processes.

  Returns:
    Whether the run is finished; False where it was asked to stop.

  Raises:
    UserError: a bad config, workdir or data set.
    RunError: the loss is not finite, or a checkpoint cannot be written.
  """
  allow = allow_config_change
  with (
    claim(workdir, config, allow_change=allow),
    watching() as stop,
  ):
    while True:
      with open_run(
        config, workdir, allow_data_change=allow, devices=devices
      ) as run:
        record(config, run.plan.names, workdir)
        try:
          return _run_stages(run, stop)
        except OutOfMemory:
          halve(run.plan, run.stage, workdir)


def _run_stages(run: Run, stop: Stop) -> bool:
  """Whether all of them are finished."""
  state = run.state
  for index in range(len(run.plan.stages)):
    if int(state.images) < run.ends[index]:
      run.check_order(index, int(state.images))
      state, going = _run_stage(run, run.enter(state, index), stop)
      if not going:
        return False
  _finish(run, state)
  return True


def _due(every: int, images: int, batch: int) -> bool:
  return every > 0 and images // every > (images - batch) // every


def _run_stage(
  run: Run, state: TrainState, stop: Stop
) -> tuple[TrainState, bool]:
  """The state after the stage, and whether the run goes on."""
  setup = set_up(run, run.stage)
  with contextlib.closing(setup.batches(int(state.images))) as batches:
    return _turns(run, setup, state, batches, stop)


def _turns(
  run: Run,
  setup: Setup,
  state: TrainState,
  batches: Iterator[Batch],
  stop: Stop,
) -> tuple[TrainState, bool]:
  options = run.plan.train
  batch, last = run.plan.stages[run.stage].batch_size, run.ends[run.stage]
  step, images = int(state.step), int(state.images)
  start = step
  scores, late = None, None
  while images < last:
    if step > start and _due(options.evaluate_images, images, batch):
      scores = _evaluate(run, setup, state, step, images)
      score = scores[run.checkpoints.metric]
      if run.settled(images):
        state = run.scored(state, score)
        if run.judge(images, score):
          break
    if step > start and _due(options.save_images, images, batch):
      _check(run, late, step)
      _save(run, state, scores)
    if stop.requested(step):
      _check(run, late, step)
      _stop(run, state, step, stop)
      return state, False
    scores = None
    state, metrics = _step(setup, state, next(batches), first=step == start)
    step, images = step + 1, images + batch
    _check(run, late, step - 1)
    if _due(options.log_images, images, batch):
      _log(run, step, images, metrics)
    if _due(options.preview_images, images, batch):
      with run.terminal.paused():
        setup.preview(state, step)
    late = metrics
  _check(run, late, step)
  scores = scores or _evaluate(run, setup, state, step, images)
  run.progress = run.progress.end(images)
  _save(run, state, scores)
  setup.preview(state, step)
  return state, True


def _step(
  setup: Setup, state: TrainState, batch: Batch, *, first: bool
) -> tuple[TrainState, dict]:
  """One update; the first one tells whether the stage fits into memory."""
  try:
    found = setup.step(state, batch)
    return jax.block_until_ready(found) if first else found
  except jax.errors.JaxRuntimeError as e:
    if not first or "RESOURCE_EXHAUSTED" not in str(e):
      raise
    raise OutOfMemory from e


def _log(run: Run, step: int, images: int, metrics: dict) -> None:
  """Report one step's metrics; waits for that step."""
  values = {k: float(v) for k, v in metrics.items()}
  values |= {"images": images, "images_per_second": run.terminal.speed(images)}
  run.log(step, values | run.place)
  run.checkpoints.check()
  run.terminal.progress(images, step, run.stage, run.seen)


def _evaluate(
  run: Run, setup: Setup, state: TrainState, step: int, images: int
) -> dict[str, float]:
  jax.block_until_ready(state)
  with run.terminal.paused():
    scores = setup.heldout(state.ema)
  values = {f"validation/{k}": v for k, v in scores.items()}
  run.log(step, {"images": images, **run.place, **values})
  main = run.checkpoints.metric
  if not math.isfinite(scores[main]):
    raise RunError(
      f"step {step}: the held-out {main} is {scores[main]}; {_kept(run)}.\n"
      "Lower optimizer.learning_rate and go on with --allow_config_change."
    )
  return scores


_finite = jax.jit(finite)


def _save(run: Run, state: TrainState, scores: dict | None) -> None:
  """Start writing a checkpoint; never one that no training can go on from."""
  if not bool(_finite(state)):
    raise RunError(
      f"step {int(state.step)}: parameters or moments overflowed; "
      f"{_kept(run)}.\nLower optimizer.learning_rate and start from there with "
      "--allow_config_change."
    )
  run.save(state, scores if run.settled(int(state.images)) else None)


def _kept(run: Run) -> str:
  """Which checkpoint remains."""
  run.checkpoints.wait()
  steps = run.checkpoints.steps
  if not steps:
    return "there is no checkpoint yet"
  return f"checkpoint {steps[-1]} is the last good one"


def _check(run: Run, metrics: dict | None, step: int) -> None:
  """End the run where the last step's loss or gradient was not finite.

  The step itself has left the parameters as they were.
  """
  if metrics is None or run.plan.train.on_nan == "skip":
    return
  values = [float(metrics[k]) for k in ("loss", "gradient_norm")]
  if not all(map(math.isfinite, values)):
    raise RunError(
      f"step {step}: loss {values[0]}, gradient norm {values[1]}; "
      f"{_kept(run)}.\n"
      "Lower optimizer.learning_rate, or leave such updates out with "
      "--config.train.on_nan=skip --allow_config_change."
    )


def _stop(run: Run, state: TrainState, step: int, stop: Stop) -> None:
  """Save where the run is and say how to go on."""
  run.checkpoints.wait()
  if step not in run.checkpoints.steps:
    _save(run, state, None)
    run.checkpoints.wait()
  name = stop.signal.name if stop.signal else "a preemption notice"
  run.terminal.say(
    f"stopped by {name}: step {step} is saved; the same command goes on."
  )


def _finish(run: Run, state: TrainState) -> None:
  """Keep the latents that the samplers need, and say where things are."""
  jax.block_until_ready(state)
  skipped = int(np.asarray(state.skipped))
  if skipped:
    run.terminal.say(f"{skipped} updates were left out: not finite.")
  run.checkpoints.wait()
  run.write_bank(state)
  psnr, best = run.seen.get("validation/psnr"), run.checkpoints.best()
  score = f", held-out PSNR {psnr:.2f} dB" if psnr else ""
  better = best not in (None, int(state.step))
  score += f" (checkpoint {best} is the best)" if better else ""
  run.terminal.say(
    f"finished: {int(state.images):,} images, {int(state.step)} steps{score}; "
    f"everything is in {run.workdir}."
  )
