"""What the loop works with: the run as a whole, and one stage of it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Callable, Generator, Iterator
from typing import Annotated, Any, Literal

import jax

from jaxgen import rng, tasks
from jaxgen.data import pipeline
from jaxgen.data.build import build as build_source
from jaxgen.data.source import DataOptions, Source, Split
from jaxgen.errors import UserError, writing
from jaxgen.options import Count, Options, Range, Seed, Size, check_value
from jaxgen.tasks import Stage, Task
from jaxgen.train import optimizer
from jaxgen.train.bank import Bank, bank_path, read_bank, write_bank
from jaxgen.train.checkpoint import Checkpoints
from jaxgen.train.heldout import HeldOut
from jaxgen.train.logging import MetricLog, Terminal
from jaxgen.train.preview import previewer
from jaxgen.train.processes import is_first, same, shared, together
from jaxgen.train.sharding import Devices, Layout, make_mesh
from jaxgen.train.state import TrainState, create, make_step
from jaxgen.typing import Batch, Metrics


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions(Options, section="train"):
  """Everything under `train` in a config; see `jaxgen.defaults`."""

  log_images: Size
  evaluate_images: Size
  preview_images: Size
  save_images: Size
  max_to_keep: Count
  validation_tiles: Count
  on_nan: Literal["stop", "skip"]
  fsdp: bool
  bank_tiles: Annotated[int, Range(2)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
  """A config in typed pieces, with the devices it runs on."""

  config: Any
  stages: tuple[Stage, ...]
  train: TrainOptions
  optimizer: optimizer.OptimizerOptions
  data: DataOptions
  layout: Layout
  known: tasks.Names | None = None  # names of a finished run

  @property
  def ends(self) -> list[int]:
    """Images seen at the end of each stage: whole batches."""
    whole = [-(-s.images // s.batch_size) * s.batch_size for s in self.stages]
    return list(itertools.accumulate(whole))

  def check(self) -> None:
    """Raise a UserError where batches do not divide, or data are not there."""
    for index, stage in enumerate(self.stages):
      self.layout.check(stage.batch_size, stage.accumulate)
      self.task(index)
    for split in ("train", "validation"):
      self.source(split, 0)

  def task(self, stage: int) -> Task:
    """The task at a stage's resolution."""
    resolution = self.stages[stage].resolution
    return tasks.build(self.config, resolution, self.names)

  @functools.cached_property
  def names(self) -> tasks.Names:
    """Of the conditions that the model knows: what their values are called."""
    wanted = self.config.get("diffusion", {}).get("conditions", ())
    if self.known is not None or not wanted:
      return self.known or {}
    source = self.source("train", 0)
    names = source.attribute_names | {"label": source.label_names}
    return {k: v for k, v in names.items() if v}

  def source(self, split: Split, stage: int) -> Source:
    """The data of one split at a stage's resolution."""
    return build_source(self.data, split, self.stages[stage].resolution)

  @property
  def fingerprint(self) -> str:
    """Of the data of both splits."""
    parts: tuple[Split, ...] = ("train", "validation")
    return " ".join(self.source(split, 0).fingerprint for split in parts)

  def evaluation_batch(self, stage: int) -> int:
    """Images in a batch of encoding or evaluation: a microbatch, rounded up to
    a multiple of the number of devices."""
    s, n = self.stages[stage], self.layout.mesh.size
    return -(-s.batch_size // s.accumulate // n) * n

  def bank(self, stage: int) -> Bank | None:
    """Latents of training tiles at a stage's resolution; None where the model
    has no latents."""
    task = self.task(stage)
    if task.codec is None:
      return None
    return Bank(
      task.codec,
      self.source("train", stage),
      self.data,
      self.layout,
      num=self.train.bank_tiles,
      batch=self.evaluation_batch(stage),
    )

  def step(self, stage: int) -> Callable[..., tuple[TrainState, Metrics]]:
    """The update of a stage, not yet jitted."""
    return make_step(
      self.task(stage).loss,
      self.transform,
      self.optimizer,
      total_images=self.ends[-1],
      batch_size=self.stages[stage].batch_size,
      accumulate=self.stages[stage].accumulate,
      key=rng.stream(self.config.seed, "train"),
    )

  @property
  def transform(self):
    """The optimizer, as optax has it."""
    return optimizer.build(self.optimizer)

  def create(self, stage: int = 0) -> Callable[[jax.Array], TrainState]:
    """A function of a key: the state at step 0."""
    task = self.task(stage)
    return lambda key: create(task.init(key), self.transform)

  def shapes(self, stage: int = 0) -> TrainState:
    """The state's shapes, with the sharding of each leaf."""
    shapes = jax.eval_shape(self.create(stage), jax.random.key(0))
    return jax.tree.map(
      lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
      shapes,
      self.layout.state(shapes),
    )

  def fresh(self) -> TrainState:
    """The state at step 0, on the devices."""
    shardings = jax.tree.map(lambda x: x.sharding, self.shapes())
    create_ = jax.jit(self.create(), out_shardings=shardings)
    return create_(rng.stream(self.config.seed, "parameters"))


def make_plan(
  config, devices: Devices = None, names: tasks.Names | None = None
) -> Plan:
  """Check a config as a whole.

  Args:
    config: of the run.
    devices: to run on, by default all there are.
    names: of the conditions' values, where the data need not be there.

  Raises:
    UserError: what does not fit together.
  """
  check_value("seed", Seed, config.seed)
  build_source.cache_clear()  # files may have changed since they were opened
  options = TrainOptions.read(config.train)
  plan = Plan(
    config=config,
    stages=tasks.stages(config),
    train=options,
    optimizer=optimizer.OptimizerOptions.read(config.optimizer),
    data=DataOptions.read(config.data),
    layout=Layout(mesh=make_mesh(devices), fsdp=options.fsdp),
    known=names,
  )
  if plan.ends[-1] >= 2**32:
    raise UserError(
      f"stages.images: {plan.ends[-1]:,} in all; less than {2**32:,} is needed."
    )
  if len({stage.resolution for stage in plan.stages}) > 1:
    raise UserError(
      "stages.resolution: all stages must have the same resolution; parameters "
      "are not carried between resolutions yet."
    )
  return plan


@dataclasses.dataclass(kw_only=True)
class Run:
  """A plan that is being carried out in a workdir."""

  plan: Plan
  workdir: pathlib.Path
  checkpoints: Checkpoints
  terminal: Terminal
  metrics: MetricLog | None  # on the first process only
  state: TrainState  # as restored, or at step 0
  seen: dict[str, float] = dataclasses.field(default_factory=dict)

  def log(self, step: int, values: dict[str, float]) -> None:
    """Scalars to CSV and TensorBoard; the newest of each are kept in `seen`."""
    self.seen |= values
    if self.metrics is not None:
      self.metrics.scalars(step, values)

  def save(self, state: TrainState, stage: int, scores: dict | None) -> None:
    """Start writing a checkpoint."""
    data = self.plan.source("train", stage).fingerprint
    self.checkpoints.save(state, {"stage": stage, "data": data}, scores)

  def write_bank(self, state: TrainState) -> None:
    """Encode the bank with the averaged weights and keep it in the workdir."""
    bank, step = self.plan.bank(-1), int(state.step)
    shape = self.plan.task(-1).latent_shape
    known = bank is None or read_bank(self.workdir, step, shape) is not None
    if bank is not None and not shared(known)[0]:
      latents = bank.latents(state.ema)
      if self.metrics is not None:
        with writing(bank_path(self.workdir, step)):
          write_bank(self.workdir, step, latents)


@contextlib.contextmanager
def open_run(
  config,
  workdir: pathlib.Path,
  *,
  allow_data_change: bool,
  devices: Devices = None,
) -> Iterator[Run]:
  """Open a workdir and restore its newest checkpoint, or start afresh."""
  plan = make_plan(config, devices)
  together(plan.check)
  if not same(plan.fingerprint):
    raise UserError(
      f"data.source={plan.data.source}: the processes see different data; "
      "are the files the same on all machines?"
    )
  metric = plan.task(0).metric
  checkpoints = Checkpoints(
    workdir, metric=metric, max_to_keep=plan.train.max_to_keep
  )
  with contextlib.closing(checkpoints):
    state, seen = _restore(plan, checkpoints, allow_data_change)
    first = is_first()
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
      )
    if log is not None:
      log.close()


def _restore(
  plan: Plan, checkpoints: Checkpoints, allow_data_change: bool
) -> tuple[TrainState, int]:
  restored = checkpoints.restore(plan.shapes())
  if restored is None:
    return plan.fresh(), 0
  state, meta = restored
  stage = min(meta["stage"], len(plan.stages) - 1)
  now = plan.source("train", stage).fingerprint
  if meta["data"] != now and not allow_data_change:
    raise UserError(
      f"data.source={plan.data.source}: the data are not those this run was "
      "trained on.\nPut them back, or go on with --allow_config_change."
    )
  images = int(state.images)
  if is_first():
    print(f"resuming at step {int(state.step)} ({images:,} images).")
  return state, images


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setup:
  """One stage, compiled on first use."""

  step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]]
  batches: Callable[[int], Generator[Batch]]
  heldout: HeldOut
  preview: Callable[[TrainState, int], None]


def set_up(run: Run, index: int) -> Setup:
  """Everything that a stage of a run needs."""
  plan, layout = run.plan, run.plan.layout
  stage = plan.stages[index]
  shardings = jax.tree.map(lambda x: x.sharding, plan.shapes(index))
  step = jax.jit(
    plan.step(index),
    in_shardings=(shardings, layout.batch),
    out_shardings=(shardings, layout.replicated),
    donate_argnums=0,
  )
  heldout = HeldOut(
    plan.task(index),
    plan.source("validation", index),
    layout,
    num=plan.train.validation_tiles,
    batch=plan.evaluation_batch(index),
  )
  begin = plan.ends[index - 1] if index else 0

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
      yield from map(layout.put, found)

  preview = previewer(
    plan.task(index),
    heldout,
    plan.bank(index),
    layout,
    seed=plan.config.seed,
    workdir=run.workdir,
    log=run.metrics,
  )
  return Setup(step=step, batches=batches, heldout=heldout, preview=preview)
