"""A config as a whole, in typed pieces: what is trained, on what, with what."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax

from jaxgen import rng
from jaxgen.config.fields import (
  NonNegative,
  NonNegativeInt,
  Options,
  PositiveInt,
  Range,
  Seed,
  check_value,
)
from jaxgen.data import pipeline
from jaxgen.data.source import DataOptions, Source, Split
from jaxgen.data.sources import build as build_source
from jaxgen.errors import UserError
from jaxgen.latents.cache import LatentCache, affordable
from jaxgen.parallel.sharding import Devices, Layout, make_mesh
from jaxgen.tasks import families
from jaxgen.tasks.task import Names, Stage, Task
from jaxgen.train import optimizer, plateau
from jaxgen.train.evaluator import Evaluator
from jaxgen.train.schedule import Schedule, schedule
from jaxgen.train.state import TrainState, create, make_step
from jaxgen.typing import Metrics
from jaxgen.workdir.progress import Advance

CHECKED = 8  # tiles of each split that are looked at before anything starts


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainOptions(Options, section="train"):
  """Everything under `train` in a config; see `jaxgen.config.defaults`."""

  log_images: NonNegativeInt
  evaluate_images: NonNegativeInt
  preview_images: NonNegativeInt
  save_images: NonNegativeInt
  max_to_keep: PositiveInt
  validation_tiles: PositiveInt
  on_nan: Literal["stop", "skip"]
  fsdp: bool
  bank_tiles: Annotated[int, Range(2)]
  init_from: str = ""
  advance: Literal["fixed", "adaptive"] = "fixed"
  advance_window: PositiveInt = 50_000
  advance_tolerance: NonNegative = 0.05
  advance_minimum: Annotated[float, Range(0, 1)] = 0.2

  def __post_init__(self):
    super().__post_init__()
    if self.advance == "adaptive" and not self.evaluate_images:
      raise UserError(
        "train.advance=adaptive needs the held-out metric: set "
        "train.evaluate_images above 0."
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchOptions(Options, section="batch"):
  """Everything under `batch` in a config; see `jaxgen.config.defaults`."""

  fit: Literal["off", "auto"] = "off"
  memory_gib: NonNegative = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
  """A config in typed pieces, with the devices it runs on."""

  config: Any
  stages: tuple[Stage, ...]
  batch: BatchOptions
  train: TrainOptions
  optimizer: optimizer.OptimizerOptions
  data: DataOptions
  layout: Layout
  known: Names | None = None  # names of a finished run

  @property
  def lengths(self) -> list[int]:
    """Images of each stage at most: whole batches."""
    return [stage.length for stage in self.stages]

  @property
  def ends(self) -> list[int]:
    """Images seen at the end of each stage, where none ends early."""
    return list(itertools.accumulate(self.lengths))

  @property
  def advance(self) -> Advance | None:
    """When stages end early; None: they never do."""
    o = self.train
    if o.advance == "fixed":
      return None
    return Advance(
      window=o.advance_window,
      tolerance=o.advance_tolerance,
      minimum=o.advance_minimum,
    )

  def check(self) -> None:
    """Raise a UserError where batches do not divide, or data are not there."""
    for index, stage in enumerate(self.stages):
      self.layout.check(stage.batch_size, stage.accumulate)
      try:
        self.task(index)
        for split in ("train", "validation"):
          self.source(split, index)
      except UserError as e:
        raise UserError(f"{self._named(index)}{e}") from e
    for split in ("train", "validation"):
      self.task(0).check(pipeline.fixed_tiles(self.source(split, 0), CHECKED))

  def _named(self, index: int) -> str:
    """Which of several stages a message is about."""
    row = self.stages[index]
    patch = f", stages.patch_size={row.patch_size}" if row.patch_size else ""
    where = f"stage {index + 1} (stages.resolution={row.resolution}{patch}): "
    return where if len(self.stages) > 1 else ""

  def task(self, stage: int) -> Task:
    """The task of a stage."""
    return self.task_at(self.stages[stage].resolution, stage)

  def task_at(self, resolution: int, stage: int = -1) -> Task:
    """The task of a stage at any resolution, built once."""
    fields = self.stages[stage].model.items()
    return self._build(resolution, tuple(fields))

  @functools.cached_property
  def _build(self) -> Callable[[int, tuple], Task]:
    return functools.cache(
      lambda resolution, fields: families.build(
        self.config, resolution, self.names, **dict(fields)
      )
    )

  @functools.cached_property
  def names(self) -> Names:
    """Of the conditions that the model knows: what their values are called."""
    wanted = families.condition_names(self.config)
    if self.known is not None or not wanted:
      return self.known or {}
    return self.every_name()

  def every_name(self) -> Names:
    """Of all that the data know, whether the model is told of it or not."""
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

  def heldout(self, stage: int) -> Evaluator:
    """The held-out metrics at a stage's resolution."""
    return Evaluator(
      self.task(stage),
      self.source("validation", stage),
      self.layout,
      num=self.train.validation_tiles,
      batch=self.evaluation_batch(stage),
    )

  def bank(self, stage: int) -> LatentCache | None:
    """Latents of training tiles at a stage's resolution; None where the model
    has no latents."""
    task = self.task(stage)
    if task.codec is None:
      return None
    return LatentCache(
      task.codec,
      self.source("train", stage),
      self.data,
      self.layout,
      num=affordable(self.train.bank_tiles, task.latent_shape),
      batch=self.evaluation_batch(stage),
    )

  def below(self, stage: int) -> int:
    """The resolution whose finer detail fades in with a stage; 0: none does, as
    in the first stage, or blocks do instead."""
    index = stage % len(self.stages)
    row, before = self.stages[stage], self.stages[max(index - 1, 0)].resolution
    fades = row.fade_images and self.task(stage).faded is None
    return before if fades and before < row.resolution else 0

  def compiled_for(self, stage: int) -> tuple:
    """What the programs of a stage are compiled for."""
    return *self.stages[stage].shapes, self.below(stage)

  def step(self, stage: int) -> Callable[..., tuple[TrainState, Metrics]]:
    """The update of a stage, not yet jitted."""
    return make_step(
      self.task(stage).loss,
      self.transform,
      self.optimizer,
      faded=self.task(stage).faded,
      below=self.below(stage),
      control=self.task(stage).control,
      batch_size=self.stages[stage].batch_size,
      accumulate=self.stages[stage].accumulate,
      key=rng.stream(self.config.seed, "train"),
    )

  def pace(self, stage: int, begin: int | None = None) -> Schedule:
    """What the schedules of a stage are; `begin`: images seen before it, where
    earlier stages have ended early."""
    return schedule(self.stages, self.optimizer, stage, begin)

  def update(self, stage: int) -> Callable[..., tuple[TrainState, Metrics]]:
    """`step`, jitted: what a training runs and `planner` looks at."""
    shardings, everywhere = self.shardings(stage), self.layout.replicated
    return jax.jit(
      self.step(stage),
      in_shardings=(shardings, self.layout.batch, everywhere),
      out_shardings=(shardings, everywhere),
      donate_argnums=0,
    )

  @property
  def transform(self):
    """The optimizer, as optax has it."""
    return optimizer.build(self.optimizer)

  def create(self, stage: int = 0) -> Callable[[jax.Array], TrainState]:
    """A function of a key: the state at step 0."""
    task, lengths = self.task(stage), self.optimizer.ema_lengths

    def make(key: jax.Array) -> TrainState:
      control = plateau.begin(self.optimizer)
      if task.control:
        control["loss"] = task.control.begin()
      return create(task.init(key), self.transform, lengths, control)

    return make

  def shapes(self, stage: int = 0) -> TrainState:
    """The state's shapes, with the sharding of each leaf."""
    shapes = jax.eval_shape(self.create(stage), jax.random.key(0))
    return jax.tree.map(
      lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
      shapes,
      self.layout.state(shapes),
    )

  def shardings(self, stage: int = 0) -> TrainState:
    """The sharding of each leaf of the state."""
    return jax.tree.map(lambda x: x.sharding, self.shapes(stage))

  def fresh(self, stage: int = 0) -> TrainState:
    """The state at step 0 with the model of a stage, on the devices."""
    create_ = jax.jit(self.create(stage), out_shardings=self.shardings(stage))
    return create_(rng.stream(self.config.seed, "parameters"))


def make_plan(
  config, devices: Devices = None, names: Names | None = None
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
    stages=families.stages(config),
    batch=BatchOptions.read(config.batch),
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
  return plan
