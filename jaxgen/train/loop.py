"""The training loop.

Each iteration, in order: evaluate, save, fetch, step, log. Nothing is read from
the device but every few steps, and then of a step that is done. Events due at a
number of images happen at the first step that reaches it. Decisions, on the
learning rate and on ends of stages, are made at the evaluations of the
interval, not at those that every run has (`schedule.looks`).
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from jaxgen.latents.cache import Diverged
from jaxgen.parallel import profiling
from jaxgen.parallel.multihost import allgather
from jaxgen.parallel.preemption import Stop
from jaxgen.train.finite import UpdateCheck, check_score, check_state
from jaxgen.train.first_step import first_step
from jaxgen.train.opening import TIMED, announce_speed
from jaxgen.train.outputs import (
  save_checkpoint,
  write_latents,
  write_preview,
)
from jaxgen.train.run import Run, open_run
from jaxgen.train.schedule import Events, looks, stage_schedule
from jaxgen.train.stage import StageProgram
from jaxgen.train.state import TrainState
from jaxgen.train.transfer import InitialWeights
from jaxgen.typing import Batch


def train(
  programs: Sequence[StageProgram],
  workdir: pathlib.Path,
  *,
  stop: Stop,
  initial: InitialWeights | None = None,
  allow_data_change: bool = False,
  on_open: Callable[[], None] = lambda: None,
) -> bool:
  """Train in a claimed workdir, or resume from its newest checkpoint.

  Args:
    programs: the programs of all stages.
    workdir: the run's folder; shared by all processes.
    stop: the request to stop, set by a signal.
    initial: initial weights at step 0; by default random.
    allow_data_change: resume even if the data changed.
    on_open: called after all checks, once the newest checkpoint, if any, is
      restored.

  Returns:
    Whether the run is finished; False if it was stopped.

  Raises:
    UserError: stages, model, loss and data are inconsistent.
    RunError: the loss is not finite, or a checkpoint cannot be written.
    OutOfMemory: a stage does not fit into memory; see `first_step`.
  """
  with open_run(
    programs, workdir, initial=initial, allow_data_change=allow_data_change
  ) as run:
    on_open()
    return _run_stages(run, stop)


def _run_stages(run: Run, stop: Stop) -> bool:
  """Run the remaining stages; returns whether all are finished."""
  state = run.state
  for index in range(len(run.programs)):
    if int(state.images) < run.ends[index]:
      run.checkpoints.wait()
      stop.at_once = True  # all is saved, until the first update
      state = run.enter(state, index)
      batches = run.program.batches(_batches_done(run, state))
      with contextlib.closing(batches):
        state, finished = _run_stage(run, state, batches, stop)
      if not finished:
        return False
  _finish(run, state)
  return True


def _batches_done(run: Run, state: TrainState) -> int:
  """The number of batches of the current stage already trained on."""
  return (int(state.images) - run.begin) // run.program.stage.batch_size


def _run_stage(
  run: Run, state: TrainState, batches: Iterator[Batch], stop: Stop
) -> tuple[TrainState, bool]:
  """Run a stage; returns the state, and whether the stage is finished."""
  options, total = run.experiment.train, run.experiment.ends[-1]
  evaluations = looks(options.evaluate_images, total)
  previews = looks(options.preview_images, total)
  saves = Events(every=options.save_images)
  logs = Events(every=options.log_images)
  batch, last = run.program.stage.batch_size, run.ends[run.stage]
  step, images = int(state.step), int(state.images)
  start = step
  schedule = stage_schedule(run.experiment, run.stage, run.begin)
  updates, scores, previewed = UpdateCheck(run, state), None, -1
  if not images and run.program.task.evaluates_at_start:
    _evaluate(run, state, step, images, decides=False)
  while images < last:
    if step > start and evaluations.due(images, batch):
      updates.finish()
      decides = evaluations.regular(images, batch)
      scores = _evaluate(run, state, step, images, decides=decides)
      score = scores[run.checkpoints.metric]
      if run.counts(images) and decides:
        state = run.scored(state, score)
        if run.stage_is_over(images, score):
          break
    if step > start and saves.due(images, batch):
      updates.finish()
      _save(run, state, scores)
    if stop.requested(step):
      updates.finish()
      _stop(run, state, step, stop)
      return state, False
    scores = None
    arguments = state, next(batches), schedule
    if step == start:
      state, metrics = first_step(run, arguments)
    else:
      state, metrics = profiling.call(run.program.update, *arguments)
    stop.at_once = False
    step, images = step + 1, images + batch
    updates.add(step, metrics)
    if step == start + TIMED:
      announce_speed(run, images, metrics)
    if logs.due(images, batch):
      _log(run, step, images, metrics)
    if previews.due(images, batch):
      jax.block_until_ready(state)
      with run.terminal.paused(), _tolerant(previews.regular(images, batch)):
        write_preview(run, state)
        previewed = step
  updates.finish()
  scores = scores or _evaluate(run, state, step, images)
  run.progress = run.progress.end(images)
  _save(run, state, scores)
  if previewed != step:
    write_preview(run, state)
  return state, True


def _log(run: Run, step: int, images: int, metrics: dict) -> None:
  """Log the metrics of a step; blocks until it is done."""
  values = {k: float(v) for k, v in metrics.items()}
  values |= {"images": images, "images_per_second": run.terminal.speed(images)}
  run.log(step, values)
  run.checkpoints.check()
  run.terminal.progress(
    images,
    step,
    run.stage,
    run.seen,
    steps=run.steps,
    loss=run.program.task.loss_name,
  )


def _tolerant(regular: bool) -> contextlib.AbstractContextManager[None]:
  """Leaves it to the steps to report that the model has diverged, rather than
  to a preview that only every run has."""
  ignored = () if regular else (Diverged,)
  return contextlib.suppress(*ignored)


def _evaluate(
  run: Run,
  state: TrainState,
  step: int,
  images: int,
  *,
  decides: bool = True,
) -> dict[str, float]:
  """Compute and log the held-out scores; they are checked if they decide
  anything."""
  jax.block_until_ready(state)
  with run.terminal.paused():
    inputs = run.program.loss_inputs(state)
    scores = run.program.evaluator(state.ema, inputs)
  values = {f"validation/{k}": v for k, v in scores.items()}
  run.log(step, {"images": images, **values})
  if decides:
    check_score(run, step, scores[run.checkpoints.metric])
  return scores


def _save(run: Run, state: TrainState, scores: dict | None) -> None:
  """Start writing a checkpoint.

  Raises:
    RunError: the state is not finite.
  """
  jax.block_until_ready(state)
  with run.terminal.paused():
    check_state(run, state)
    counts = run.counts(int(state.images))
    save_checkpoint(run, state, scores if counts else None)


def _stop(run: Run, state: TrainState, step: int, stop: Stop) -> None:
  """Save the state and print how to resume."""
  run.checkpoints.wait()
  if step not in run.checkpoints.steps:
    _save(run, state, None)
    run.checkpoints.wait()
  allgather(0)  # barrier: the first process to exit may end the others
  name = stop.signal.name if stop.signal else "a preemption notice"
  run.terminal.say(
    f"stopped by {name}: step {step} is saved; the same command resumes."
  )


def _finish(run: Run, state: TrainState) -> None:
  """Write the latents that samplers need, and print a summary."""
  jax.block_until_ready(state)
  skipped = int(np.asarray(state.skipped))
  if skipped:
    run.terminal.say(f"{skipped} non-finite updates were skipped.")
  run.checkpoints.wait()
  write_latents(run, state)
  psnr, best = run.seen.get("validation/psnr"), run.checkpoints.best()
  score = f", held-out PSNR {psnr:.2f} dB" if psnr else ""
  better = best not in (None, int(state.step))
  score += f" (checkpoint {best} is the best)" if better else ""
  run.terminal.say(
    f"finished: {int(state.images):,} images, {int(state.step)} steps{score}; "
    f"results are in {run.workdir}."
  )
