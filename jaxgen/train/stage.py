"""Task, mesh, shardings and compiled programs of a stage."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Generator, Mapping
from typing import Any

import jax

from jaxgen import rng
from jaxgen.config.data import Split
from jaxgen.config.experiment import Experiment
from jaxgen.config.stages import Stage
from jaxgen.data import pipeline, sources
from jaxgen.data.latents import LatentSource, as_stored
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.latents.cache import (
  EncodeTiles,
  LatentCache,
  max_tiles,
  tiles_encoder,
)
from jaxgen.parallel.sharding import Layout
from jaxgen.tasks import families
from jaxgen.tasks.companion import NONE, Companions
from jaxgen.tasks.space import Frozen
from jaxgen.tasks.task import Task
from jaxgen.train import optimizer
from jaxgen.train.evaluator import Evaluator
from jaxgen.train.preview import PreviewPicture, previewer
from jaxgen.train.state import TrainState, initial_state
from jaxgen.train.step import UpdateFn, loss_inputs, make_update
from jaxgen.typing import Batch, ConditionNames, LossInputs, Params

_COMPILED = ("update", "evaluator", "latent_cache", "preview")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StageProgram:
  """Task, data and programs of a stage, created on first use.

  Attributes:
    experiment: the experiment.
    index: index of the stage.
    names: value names of the conditions.
    layout: the shardings on a mesh.
    companions: the finished runs that it leans on.
    stored: latents of training tiles, see `latent.views`.
  """

  experiment: Experiment
  index: int
  names: ConditionNames
  layout: Layout
  companions: Companions = NONE
  stored: LatentSource | None = None

  @property
  def stage(self) -> Stage:
    """The stage's part of the config."""
    return self.experiment.stages[self.index]

  @functools.cached_property
  def task(self) -> Task:
    """The model family at the stage's resolution."""
    return families.build(
      self.experiment,
      self.names,
      stage=self.index,
      companions=self.companions,
    )

  def source(self, split: Split) -> Source:
    """The data of a split at the stage's resolution."""
    return sources.build(self.experiment.data, split, self.stage.resolution)

  @property
  def stored_shapes(self) -> Mapping[str, tuple[int, ...]]:
    """The shapes of what training batches have instead of images."""
    space = self.task.space
    return space.stored.shapes if space and space.stored else {}

  @property
  def training_source(self) -> Source:
    """The tiles of training batches, or their stored latents.

    Raises:
      UserError: latents are not stored yet.
    """
    if not self.stored_shapes:
      return self.source("train")
    if self.stored is None:
      views = self.experiment.latent.views
      raise UserError(f"latent.views={views}: no latents are stored yet.")
    return self.stored

  @property
  def fade_from(self) -> int:
    """The resolution beyond which detail fades in; 0: no detail does, as in the
    first stage or if new blocks fade in instead."""
    before = self.experiment.stages[max(self.index - 1, 0)].resolution
    fades = self.stage.fade_images and self.task.set_fade is None
    return before if fades and before < self.stage.resolution else 0

  @property
  def shapes(self) -> tuple[Any, ...]:
    """The values its programs are compiled for; stages may share them."""
    return *self.stage.shapes, self.fade_from

  @property
  def evaluation_batch(self) -> int:
    """Images per batch in encoding and evaluation: a microbatch, rounded up to
    a multiple of the number of devices."""
    s, n = self.stage, self.layout.mesh.size
    return -(-s.batch_size // s.accumulate // n) * n

  def initial_state(
    self, key: jax.Array, frozen: Frozen | None = None
  ) -> TrainState:
    """The state at step 0, as a pure function of a key and of the frozen
    parameters that it starts from, if any."""
    return initial_state(self.task, self.experiment.optimizer, key, frozen)

  @functools.cached_property
  def trained_shapes(self) -> TrainState:
    """Shapes of the state without frozen parameters, with the sharding of each
    leaf."""
    return self._placed(jax.eval_shape(self.initial_state, jax.random.key(0)))

  @functools.cached_property
  def state_shapes(self) -> TrainState:
    """Shapes of the state, with the sharding of each leaf."""
    frozen = jax.eval_shape(lambda: self.companions.frozen(self.task))
    shapes = self.trained_shapes
    return dataclasses.replace(shapes, frozen=self._placed(frozen))

  def _placed(self, shapes: Any) -> Any:
    return jax.tree.map(
      lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
      shapes,
      self.layout.state(shapes),
    )

  @property
  def shardings(self) -> TrainState:
    """The sharding of each leaf of the state."""
    return _shardings(self.state_shapes)

  @property
  def trained_shardings(self) -> TrainState:
    """The same without frozen parameters."""
    return _shardings(self.trained_shapes)

  def fresh_state(self) -> TrainState:
    """The state at step 0 for the experiment's seed, on the devices."""
    create = jax.jit(self.initial_state, out_shardings=self.trained_shardings)
    key = rng.stream(self.experiment.seed, "parameters")
    frozen = self._frozen()
    return dataclasses.replace(create(key, frozen), frozen=frozen)

  def with_frozen(self, state: TrainState) -> TrainState:
    """A state with the frozen parameters, on the devices."""
    return dataclasses.replace(state, frozen=self._frozen())

  def _frozen(self) -> dict[str, Params]:
    frozen = self.companions.frozen(self.task)
    return jax.device_put(frozen, self.shardings.frozen)

  @property
  def plain_update(self) -> UpdateFn:
    """One update of the state, not jitted."""
    return make_update(
      self.task,
      self.experiment.optimizer,
      optimizer.build(self.experiment.optimizer, self.task.rate_factors),
      stage=self.stage,
      fade_from=self.fade_from,
      key=rng.stream(self.experiment.seed, "train"),
    )

  @functools.cached_property
  def update(self) -> jax.stages.Wrapped:
    """One update of the state, jitted with its shardings."""
    replicated = self.layout.replicated
    return jax.jit(
      self.plain_update,
      in_shardings=(self.shardings, self.layout.batch, replicated),
      out_shardings=(self.shardings, replicated),
      donate_argnums=0,
    )

  @functools.cached_property
  def loss_inputs(self) -> Callable[[TrainState], LossInputs]:
    """The inputs of the loss in a step from a state, also for evaluation and
    previews, jitted."""
    return jax.jit(functools.partial(loss_inputs, self.task))

  @functools.cached_property
  def evaluator(self) -> Evaluator:
    """The held-out metrics at the stage's resolution."""
    return Evaluator(
      self.task,
      self.source("validation"),
      self.layout,
      num=self.experiment.train.validation_tiles,
      batch=self.evaluation_batch,
    )

  @functools.cached_property
  def latent_cache(self) -> LatentCache | None:
    """The encoder of training tiles, if the task samples latents."""
    if not self.task.draws_latents:
      return None
    return self.encoded_tiles(
      tiles_encoder(self.task.codec), self.task.latent_shape
    )

  def encoded_tiles(
    self, encode: EncodeTiles, shape: tuple[int, ...]
  ) -> LatentCache:
    """An encoder of training tiles to latents or states of a shape."""
    requested = self.experiment.train.latent_cache_tiles
    return LatentCache(
      encode=encode,
      source=self.source("train"),
      data=self.experiment.data,
      layout=self.layout,
      num=max_tiles(requested, shape),
      batch=self.evaluation_batch,
    )

  @functools.cached_property
  def preview(self) -> PreviewPicture:
    """A function from parameters to a picture; see `previewer`."""
    return previewer(
      self.task,
      self.evaluator,
      self.latent_cache,
      self.layout,
      seed=self.experiment.seed,
      channels=self.experiment.data.shown_channels,
    )

  def share_programs(self, other: StageProgram) -> None:
    """Reuse the programs of a stage with the same `shapes`."""
    for name in _COMPILED:
      vars(self)[name] = getattr(other, name)

  def drop_programs(self) -> None:
    """Drop the compiled programs."""
    for name in _COMPILED:
      vars(self).pop(name, None)

  def batches(self, start: int) -> Generator[Batch]:
    """Training batches on the devices, from batch `start` of the stage; while a
    step runs, a thread fetches the next batches."""
    data = self.experiment.data
    return pipeline.batches(
      self.training_source,
      as_stored(data) if self.stored_shapes else data,
      batch_size=self.stage.batch_size,
      start=start,
      stream=("train", self.index),
      keep=self.task.batch_fields,
      process=jax.process_index(),
      processes=jax.process_count(),
      put=self.layout.put,
    )


def _shardings(shapes: TrainState) -> TrainState:
  return jax.tree.map(lambda x: x.sharding, shapes)
