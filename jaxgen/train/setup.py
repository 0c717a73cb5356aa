"""What the loop works with: the run as a whole, and one stage of it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Generator, Iterator
from typing import Any

import jax

from jaxgen.data import pipeline
from jaxgen.errors import UserError
from jaxgen.formats.png import write_png
from jaxgen.latents.cache import read_cache, write_cache
from jaxgen.parallel.multihost import (
  all_equal,
  allgather,
  is_lead_host,
  run_on_all,
)
from jaxgen.parallel.sharding import Devices
from jaxgen.planning.autobatch import fitted
from jaxgen.sample.weights import read_weights
from jaxgen.train import plateau
from jaxgen.train.evaluator import Evaluator
from jaxgen.train.plan import Plan, make_plan
from jaxgen.train.programs import Programs, forget_programs
from jaxgen.train.state import TrainState, from_trees, to_trees
from jaxgen.train.transfer import check_transfers, transfer_state, warm_start
from jaxgen.typing import Batch, Metrics
from jaxgen.workdir.checkpoint_recovery import restore_newest
from jaxgen.workdir.checkpoints import Checkpoints
from jaxgen.workdir.logging import MetricLog
from jaxgen.workdir.posthoc_ema import PosthocEMA
from jaxgen.workdir.progress import Progress
from jaxgen.workdir.terminal import Terminal


@dataclasses.dataclass(kw_only=True)
class Run:
  """A plan that is being carried out in a workdir."""

  plan: Plan
  workdir: pathlib.Path
  checkpoints: Checkpoints
  terminal: Terminal
  metrics: MetricLog | None  # on the first process only
  state: TrainState  # as restored, or at step 0
  stage: int  # whose shapes the state has
  progress: Progress = Progress()
  programs: Programs | None = None  # of a stage
  seen: dict[str, float] = dataclasses.field(default_factory=dict)

  def log(self, step: int, values: dict[str, float]) -> None:
    """Scalars to CSV and TensorBoard; the newest of each are kept in `seen`."""
    self.seen |= values
    if self.metrics is not None:
      self.metrics.scalars(step, values)

  @property
  def ends(self) -> list[int]:
    """Images seen at the end of each stage, as far as is known."""
    if self.plan.advance is None:
      return self.plan.ends
    return self.progress.ends(self.plan.lengths)

  @property
  def place(self) -> dict[str, float]:
    """Where the run is, for its metrics."""
    resolution = self.plan.stages[self.stage].resolution
    return {"stage": self.stage + 1, "resolution": resolution}

  def check_order(self, stage: int, images: int) -> None:
    """Raise a UserError where a run would go back to an earlier stage."""
    if stage < self.stage:
      raise UserError(
        f"stages.images: after {images:,} images this run is in stage "
        f"{self.stage + 1}, which with these stages would be stage "
        f"{stage + 1}: leave the stages that are over as they were."
      )

  def settled(self, images: int) -> bool:
    """Whether held-out metrics count: the loss has all its terms."""
    control = self.plan.task(self.stage).control
    return control is None or images >= control.settles

  def enter(self, state: TrainState, stage: int) -> TrainState:
    """The state as a stage begins with it."""
    if stage != self.stage:
      old, self.stage = self.stage, stage
      state = transfer_state(self.plan, state, old, stage)
      control = plateau.anew(self.plan.optimizer, state.control)
      state = dataclasses.replace(state, control=control)
      resolution = self.plan.stages[stage].resolution
      self.terminal.say(
        f"stage {stage + 1} of {len(self.plan.stages)}: {resolution} pixels"
      )
    return state

  def programs_of(self, stage: int) -> Programs:
    """What a stage compiles; nothing where it has the last one's shapes."""
    wanted = self.plan.compiled_for(stage)
    if self.programs is None or self.programs.shapes != wanted:
      self.programs = None
      forget_programs()
      self.programs = Programs.of(self.plan, stage)
    return self.programs

  @functools.cached_property
  def _learn(self) -> Callable[[dict, float], dict]:
    return plateau.learner(self.plan.optimizer)

  def scored(self, state: TrainState, score: float) -> TrainState:
    """The state after an evaluation: its rate may shrink."""
    control = self._learn(state.control, score)
    return dataclasses.replace(state, control=control)

  def judge(self, images: int, score: float) -> bool:
    """Note the held-out metric; whether it tells the stage to end."""
    advance, stage = self.plan.advance, self.stage
    begin = self.ends[stage - 1] if stage else 0
    self.progress = self.progress.scored(images - begin, score)
    rows, scores = self.plan.stages, self.progress.scores
    if advance is None:
      return False
    due = advance.due(
      scores,
      stage_images=rows[stage].images,
      fade_images=rows[stage].fade_images,
    )
    if due:
      self.terminal.say(
        f"no better in the last {advance.window:,} images: stage {stage + 1} "
        f"of {len(rows)} ends."
      )
    return due

  def save(self, state: TrainState, scores: dict | None) -> None:
    """Start writing a checkpoint."""
    data = self.plan.source("train", self.stage).fingerprint
    meta = {"stage": self.stage, "data": data, **self.progress.to_metadata()}
    self._write_ema_snapshot(state)
    scores = scores and scores | {"stage": self.stage}
    self.checkpoints.save(
      int(state.step), to_trees(state), metadata=meta, scores=scores
    )

  def _write_ema_snapshot(self, state: TrainState) -> None:
    """Write a snapshot of the EMA profiles, which no later save removes."""
    snapshots, images = PosthocEMA(self.workdir), int(state.images)
    if not state.ema_profiles:
      return
    due = is_lead_host() and snapshots.due(images, self.plan.ends[-1])
    if allgather(due)[0]:
      profiles = jax.device_get(self._gather(state.ema_profiles))
      if is_lead_host():
        snapshots.write(
          int(state.step), profiles, images=images, stage=self.stage
        )

  @functools.cached_property
  def _gather(self) -> Callable[[Any], Any]:
    return jax.jit(lambda x: x, out_shardings=self.plan.layout.replicated)

  def write_bank(self, state: TrainState) -> None:
    """Encode the bank with the averaged weights and keep it in the workdir."""
    bank, step = self.plan.bank(-1), int(state.step)
    shape = self.plan.task(-1).latent_shape
    known = bank is None or read_cache(self.workdir, step, shape) is not None
    if bank is not None and not allgather(known)[0]:
      latents = bank.latents(state.ema)
      if self.metrics is not None:
        write_cache(self.workdir, step, latents)


@contextlib.contextmanager
def open_run(
  config,
  workdir: pathlib.Path,
  *,
  allow_data_change: bool,
  devices: Devices = None,
) -> Iterator[Run]:
  """Open a workdir and restore its newest checkpoint, or start afresh."""
  plan = fitted(make_plan(config, devices), workdir)
  run_on_all(plan.check)
  run_on_all(lambda: check_transfers(plan))
  if not all_equal(plan.fingerprint):
    raise UserError(
      f"data.source={plan.data.source}: the processes see different data; "
      "are the files the same on all machines?"
    )
  metric = plan.task(0).metric
  checkpoints = Checkpoints(
    workdir, metric=metric, max_to_keep=plan.train.max_to_keep
  )
  with contextlib.closing(checkpoints):
    state, meta = _restore(plan, checkpoints, allow_data_change)
    first, seen = is_lead_host(), int(state.images)
    if first:
      PosthocEMA(workdir).remove_after(int(state.step))
    log = MetricLog(workdir, step=int(state.step)) if first else None
    terminal = Terminal(
      images=seen, total=plan.ends[-1], stages=len(plan.stages), quiet=not first
    )
    with contextlib.closing(terminal):
      yield Run(
        plan=plan,
        workdir=workdir,
        checkpoints=checkpoints,
        terminal=terminal,
        metrics=log,
        state=state,
        stage=meta["stage"],
        progress=Progress.from_metadata(meta),
      )
    if log is not None:
      log.close()


def _restore(
  plan: Plan, checkpoints: Checkpoints, allow_data_change: bool
) -> tuple[TrainState, dict]:
  last = len(plan.stages) - 1
  restored = restore_newest(
    checkpoints, lambda m: to_trees(plan.shapes(min(m["stage"], last)))
  )
  if restored is None:
    return _begin(plan), {"stage": 0}
  trees, meta = restored
  state = from_trees(trees)
  meta["stage"] = min(meta["stage"], last)
  now = plan.source("train", meta["stage"]).fingerprint
  if meta["data"] != now and not allow_data_change:
    raise UserError(
      f"data.source={plan.data.source}: the data are not those this run was "
      "trained on.\nPut them back, or go on with --allow_config_change."
    )
  images = int(state.images)
  if is_lead_host():
    print(f"resuming at step {int(state.step)} ({images:,} images).")
  return state, meta


def _begin(plan: Plan) -> TrainState:
  """The state at step 0: afresh, or with the weights of another run."""
  other = plan.train.init_from
  if not other:
    return plan.fresh()
  found = read_weights(pathlib.Path(other), "best")
  state = warm_start(plan, found.plan.task(found.stage), found.params)
  if is_lead_host():
    print(f"beginning with the weights of {other} at step {found.step}.")
  return state


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
  """One stage."""

  step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
  batches: Callable[[int], Generator[Batch]]
  heldout: Evaluator
  preview: Callable[[TrainState, int], None]


def set_up(run: Run, index: int) -> Setup:
  """Everything that a stage of a run needs."""
  plan, log = run.plan, run.metrics
  stage, programs = plan.stages[index], run.programs_of(index)
  begin = run.ends[index - 1] if index else 0
  pace = plan.pace(index, begin)

  def batches(images: int) -> Generator[Batch]:
    """Batches for the stage, from the one after `images` images on."""
    found = pipeline.batches(
      plan.source("train", index),
      plan.data,
      batch_size=stage.batch_size,
      start=(images - begin) // stage.batch_size,
      stream=("train", index),
      keep=plan.task(index).inputs,
      process=jax.process_index(),
      processes=jax.process_count(),
    )
    with contextlib.closing(found):
      yield from map(plan.layout.put, found)

  def preview(state: TrainState, step: int) -> None:
    picture = programs.picture(state.ema)
    if log is not None:
      suffix = f"_stage{index + 1}" if len(plan.stages) > 1 else ""
      path = run.workdir / "samples" / f"{step:08}{suffix}.png"
      write_png(path, picture)
      log.image(step, "preview", picture)

  return Setup(
    step=lambda state, batch: programs.update(state, batch, pace),
    batches=batches,
    heldout=programs.heldout,
    preview=preview,
  )
