"""A training run: an experiment in progress in a workdir."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence

from jaxgen import progress
from jaxgen.config.experiment import Experiment
from jaxgen.data import sources
from jaxgen.errors import UserError
from jaxgen.parallel.multihost import (
  all_equal,
  is_lead_host,
  run_on_all,
)
from jaxgen.runs import numbers
from jaxgen.train import plateau
from jaxgen.train.data_report import new_report, save_report
from jaxgen.train.opening import describe, say, write_parameters
from jaxgen.train.programs import check_stages, free_programs
from jaxgen.train.stage import StageProgram
from jaxgen.train.state import TrainState, from_trees, to_trees
from jaxgen.train.teacher import warn_of_scratch
from jaxgen.train.transfer import (
  InitialWeights,
  check_transfers,
  transfer_state,
  warm_start,
)
from jaxgen.workdir.checkpoint_recovery import restore_newest
from jaxgen.workdir.checkpoints import Checkpoints
from jaxgen.workdir.loggers import check_installed, open_loggers
from jaxgen.workdir.logging import MetricLog
from jaxgen.workdir.posthoc_ema import PosthocEMA
from jaxgen.workdir.progress import Progress
from jaxgen.workdir.terminal import Terminal


@dataclasses.dataclass(kw_only=True)
class Run:
  """The state of a run between two steps.

  Attributes:
    programs: the programs of all stages.
    workdir: the run's folder.
    checkpoints: the run's checkpoints.
    terminal: the display of its progress.
    metrics: metrics.csv and TensorBoard; on the lead host only.
    state: the train state, as restored or at step 0.
    stage: index of the stage that the state belongs to.
    progress: progress through the stages.
    seen: newest value of each metric.
    steps: the steps of these values.
    compiled: shapes of the stage whose update is compiled.
  """

  programs: Sequence[StageProgram]
  workdir: pathlib.Path
  checkpoints: Checkpoints
  terminal: Terminal
  metrics: MetricLog | None
  state: TrainState
  stage: int
  progress: Progress = Progress()
  seen: dict[str, float] = dataclasses.field(default_factory=dict)
  steps: dict[str, int] = dataclasses.field(default_factory=dict)
  compiled: tuple = ()

  @property
  def experiment(self) -> Experiment:
    """The experiment."""
    return self.programs[0].experiment

  @property
  def program(self) -> StageProgram:
    """The program of the current stage."""
    return self.programs[self.stage]

  @property
  def ends(self) -> list[int]:
    """Images seen at the end of each stage, planned if still ahead."""
    if self.experiment.advance_policy is None:
      return self.experiment.ends
    return self.progress.ends(self.experiment.lengths)

  @property
  def begin(self) -> int:
    """Images seen before the current stage."""
    return self.ends[self.stage - 1] if self.stage else 0

  def log(self, step: int, values: dict[str, float]) -> None:
    """Add scalars to metrics.csv and TensorBoard."""
    self.seen |= values
    self.steps |= dict.fromkeys(values, step)
    if self.metrics is not None:
      resolution = self.program.stage.resolution
      position = {"stage": self.stage + 1, "resolution": resolution}
      self.metrics.scalars(step, values | position)

  def enter(self, state: TrainState, stage: int) -> TrainState:
    """Enter a stage; returns the state at its start.

    Raises:
      UserError: the run is already in a later stage.
    """
    images = int(state.images)
    if stage < self.stage:
      raise UserError(
        f"stages.images: this run is in stage {self.stage + 1} after "
        f"{images:,} images, but with these stages it would be in stage "
        f"{stage + 1}; do not change finished stages."
      )
    if stage == self.stage:
      return state
    old, self.stage = self.program, stage
    state = transfer_state(state, old, self.program)
    self._replace_programs(old)
    config = self.experiment.optimizer
    control = plateau.reset(config, state.control)
    resolution = self.program.stage.resolution
    self.terminal.say(
      f"stage {stage + 1} of {len(self.programs)}: {resolution} pixels"
    )
    return dataclasses.replace(state, control=control)

  def _replace_programs(self, old: StageProgram) -> None:
    """Reuse the programs of the previous stage, or free them."""
    if old.shapes == self.program.shapes:
      self.program.share_programs(old)
    else:
      old.drop_programs()
      free_programs()

  def counts(self, images: int) -> bool:
    """Whether held-out metrics count: the warm-up of loss weights is over."""
    controller = self.program.task.controller
    return controller is None or images >= controller.full_from

  @functools.cached_property
  def _update_plateau(self) -> Callable[[dict, float], dict]:
    return plateau.updater(self.experiment.optimizer)

  def scored(self, state: TrainState, score: float) -> TrainState:
    """The state after an evaluation, which may reduce the learning rate."""
    control = self._update_plateau(state.control, score)
    return dataclasses.replace(state, control=control)

  def stage_is_over(self, images: int, score: float) -> bool:
    """Record the held-out metric, and decide whether the stage ends early."""
    self.progress = self.progress.scored(images - self.begin, score)
    policy = self.experiment.advance_policy
    if policy is None:
      return False
    due = policy.due(self.program.stage, self.progress.scores)
    if due:
      self.terminal.say(
        f"no improvement in the last {policy.window:,} images: stage "
        f"{self.stage + 1} of {len(self.programs)} ends."
      )
    return due


@contextlib.contextmanager
def open_run(
  programs: Sequence[StageProgram],
  workdir: pathlib.Path,
  *,
  initial: InitialWeights | None,
  allow_data_change: bool,
) -> Iterator[Run]:
  """Open a workdir and restore its newest checkpoint, or start at step 0."""
  experiment = programs[0].experiment
  run_on_all(lambda: check_stages(programs))
  run_on_all(lambda: check_transfers(programs))
  run_on_all(lambda: check_installed(experiment.train.loggers))
  if not all_equal(sources.fingerprint(experiment)):
    raise UserError(
      f"data.source={experiment.data.source}: expected the same data on all "
      "processes; check that the files are the same on all machines."
    )
  report = new_report(experiment, workdir)
  run_on_all(lambda: describe(programs))
  checkpoints = Checkpoints(
    workdir,
    metric=programs[0].task.metric,
    max_to_keep=experiment.train.max_to_keep,
  )
  with contextlib.closing(checkpoints):
    restored = _restore(programs, checkpoints, allow_data_change)
    state, meta = restored or (_begin(programs[0], initial), {"stage": 0})
    lead, seen = is_lead_host(), int(state.images)
    if lead:
      PosthocEMA(workdir).remove_after(int(state.step))
      write_parameters(programs, workdir)
    log = _log(experiment, workdir, int(state.step)) if lead else None
    terminal = Terminal(
      images=seen,
      total=experiment.ends[-1],
      stages=len(programs),
      quiet=not lead,
    )
    with contextlib.ExitStack() as stack:
      stack.enter_context(contextlib.closing(terminal))
      stack.enter_context(progress.displayed(terminal.show_loops))
      if log is not None:
        stack.enter_context(contextlib.closing(log))
      if log is not None and report is not None:
        save_report(report, experiment, workdir)
        log.image(int(state.step), "data", report.picture)
      del report
      yield Run(
        programs=programs,
        workdir=workdir,
        checkpoints=checkpoints,
        terminal=terminal,
        metrics=log,
        state=state,
        stage=meta["stage"],
        progress=Progress.from_metadata(meta),
      )


def _log(experiment: Experiment, workdir: pathlib.Path, step: int) -> MetricLog:
  names = experiment.train.loggers
  loggers = open_loggers(names, workdir, experiment.to_dict())
  return MetricLog(workdir, step=step, loggers=loggers)


def _restore(
  programs: Sequence[StageProgram],
  checkpoints: Checkpoints,
  allow_data_change: bool,
) -> tuple[TrainState, dict] | None:
  """The state of the newest intact checkpoint and its metadata, if any."""
  if checkpoints.steps:
    say("restoring the newest checkpoint ...")
  last = len(programs) - 1
  program_of = lambda meta: programs[min(meta["stage"], last)]  # noqa: E731
  restored = restore_newest(
    checkpoints, lambda meta: to_trees(program_of(meta).state_shapes)
  )
  if restored is None:
    return None
  trees, meta = restored
  program = program_of(meta)
  state = program.with_frozen(from_trees(trees))
  meta["stage"] = program.index
  fingerprint = program.source("train").fingerprint
  if meta["data"] != fingerprint and not allow_data_change:
    raise UserError(
      f"data.source={program.experiment.data.source}: the data differ from "
      "those this run was trained on; restore them, or resume with "
      "--allow_config_change."
    )
  numbers.check_unchanged(
    program.companions, meta.get("companions", {}), checkpoints.workdir
  )
  say(f"resuming at step {int(state.step)} ({int(state.images):,} images).")
  return state, meta


def _begin(program: StageProgram, initial: InitialWeights | None) -> TrainState:
  """The state at step 0: random, or with the weights of another run."""
  say("initializing the parameters ...")
  if initial is None:
    warn_of_scratch(program.experiment)
    return program.fresh_state()
  state = warm_start(program, initial)
  say(f"starting from {initial.origin}.")
  return state
