"""A trained run, loaded: its weights, its facts and the images of its data."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack

import jax
import numpy as np

from jaxgen.config.data import Split
from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.data import pipeline, sources
from jaxgen.data.source import Element, Source
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Layout
from jaxgen.sample import html
from jaxgen.tasks import families
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames, Params

BATCH = 64  # images a call of the compiled programs, by default

T = TypeVar("T")
Args = TypeVarTuple("Args")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LoadedRun:
  """The EMA weights of a run, and the facts that go with them.

  Programs are compiled once for each batch size, and run on all devices.

  Attributes:
    workdir: the run's folder.
    experiment: the config, as it was when the run started.
    names: the values of its conditions.
    layout: the mesh that the weights are replicated on.
    task: the model family at the stage's resolution.
    params: parameters, the same on every device.
    step: finished updates of the loaded checkpoint.
    stage: the stage that it is of.
    sigma_rel: width of the post-hoc EMA; None: a checkpoint's own EMA.
  """

  workdir: pathlib.Path
  experiment: Experiment = dataclasses.field(repr=False)
  names: ConditionNames = dataclasses.field(repr=False)
  layout: Layout = dataclasses.field(repr=False)
  task: Task = dataclasses.field(repr=False)
  params: Params = dataclasses.field(repr=False)
  step: int
  stage: int
  sigma_rel: float | None
  _cache: dict[Any, Any] = dataclasses.field(
    default_factory=dict, init=False, repr=False
  )

  @property
  def resolution(self) -> int:
    """The side of the images, of the stage that the checkpoint is of."""
    return self.experiment.stages[self.stage].resolution

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """(height, width, channels) of the images."""
    return self.resolution, self.resolution, self.experiment.data.channels

  @property
  def num_parameters(self) -> int:
    """The number of parameters."""
    return sum(x.size for x in jax.tree.leaves(self.params))

  @property
  def conditions(self) -> dict[str, tuple[str, ...]]:
    """The conditions that images are generated under, with their values."""
    wanted = self.experiment.diffusion.conditions
    return {name: tuple(self.names[name]) for name in wanted}

  def cached(
    self, build: Callable[[LoadedRun, Unpack[Args]], T], *args: *Args
  ) -> T:
    """`build(self, *args)`, such as a compiled program, made once."""
    key = build, *args
    if key not in self._cache:
      self._cache[key] = build(self, *args)
    return self._cache[key]

  def task_at(self, resolution: int) -> Task:
    """The model family at another resolution."""
    return families.build(
      self.experiment, self.names, stage=self.stage, resolution=resolution
    )

  def source(self, split: Split) -> Source:
    """The data of one split."""
    return sources.build(self.experiment.data, split, self.resolution)

  def images(self, split: Split = "validation", num: int = 16) -> np.ndarray:
    """At most `num` tiles `(n, h, w, c)` of the run's data, always the same
    ones, spread evenly over the split; of the source's own type."""
    return self.tiles(split, num)["image"]

  def tiles(self, split: Split = "validation", num: int = 16) -> Element:
    """The tiles of `images` with all labels and attributes."""
    check_value("split", Split, split)
    check_value("num", PositiveInt, num)
    return pipeline.stack(pipeline.fixed_tiles(self.source(split), num))

  def training_tiles(
    self, num: int, *, stream: str, keep: tuple[str, ...] = ()
  ) -> Element:
    """`num` training tiles with all labels and attributes (or those in `keep`),
    drawn as training draws them; another `stream` draws others."""
    batches = pipeline.batches(
      self.source("train"),
      self.experiment.data,
      batch_size=BATCH,
      stream=stream,
    )
    with contextlib.closing(batches):
      parts = [
        {k: v for k, v in next(batches).items() if not keep or k in keep}
        for _ in range(-(-num // BATCH))
      ]
    return {k: np.concatenate([x[k] for x in parts])[:num] for k in parts[0]}

  def whole_batch(self, batch: int, num: int) -> int:
    """The batch size for `num` images: `batch`, or for fewer images the next
    power of two; as a multiple of the number of devices."""
    check_value("batch", PositiveInt, batch)
    size = min(batch, 1 << (num - 1).bit_length())
    devices = self.layout.mesh.size
    return -(-size // devices) * devices

  def check_images(self, images: np.ndarray) -> None:
    """Raise a UserError where images do not fit this run."""
    dtype, shape = getattr(images, "dtype", type(images)), np.shape(images)
    fits = len(shape) == 4 and shape[0] and shape[1:] == self.image_shape
    if not fits or dtype not in (np.uint8, np.uint16, np.float32):
      raise UserError(
        f"images: expected uint8 (n, {', '.join(map(str, self.image_shape))}), "
        f"got {dtype} {shape}."
      )
    if dtype == np.float32 and not np.abs(images).max() <= 1.0001:
      raise UserError("images: expected float32 in [-1, 1] and finite.")

  def _repr_html_(self) -> str:
    return html.run_html(self)
