"""A loaded run: its weights, config and data."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any, Self, TypeVar, TypeVarTuple, Unpack

import jax
import numpy as np

from jaxgen import progress
from jaxgen.config.data import Split
from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.data import pipeline, sources
from jaxgen.data.source import Element, Source
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Layout
from jaxgen.sample import html
from jaxgen.tasks import families
from jaxgen.tasks.companion import NONE, Companions
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames, Params

BATCH = 64  # default number of images per batch
MAX_SIDE = 4096  # maximum side of a canvas in pixels

T = TypeVar("T")
Args = TypeVarTuple("Args")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LoadedRun:
  """A trained run with its EMA weights.

  Programs are compiled once per batch size, and run on all devices.

  Attributes:
    workdir: the run's folder.
    experiment: the config recorded by the run.
    names: value names of its conditions.
    layout: the shardings; weights are replicated on its mesh.
    companions: the finished runs that it leans on.
    task: the model family at the stage's resolution.
    params: parameters, replicated on all devices.
    step: finished updates of the loaded checkpoint.
    stage: stage of the loaded checkpoint.
    sigma_rel: width of the post-hoc EMA; None: the checkpoint's own EMA.
  """

  workdir: pathlib.Path
  experiment: Experiment = dataclasses.field(repr=False)
  names: ConditionNames = dataclasses.field(repr=False)
  layout: Layout = dataclasses.field(repr=False)
  companions: Companions = dataclasses.field(default=NONE, repr=False)
  task: Task = dataclasses.field(repr=False)
  params: Params = dataclasses.field(repr=False)
  step: int
  stage: int
  sigma_rel: float | None
  _cache: dict[Any, Any] = dataclasses.field(
    default_factory=dict, init=False, repr=False
  )

  @property
  def frozen(self) -> dict[str, Params]:
    """The parameters that its task does not train, replicated on all
    devices."""
    return self.cached(_frozen)

  @property
  def resolution(self) -> int:
    """The side of the images in the stage of the checkpoint."""
    return self.experiment.stages[self.stage].resolution

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """(height, width, channels) of the images."""
    return self.resolution, self.resolution, self.experiment.data.channels

  @property
  def shown_channels(self) -> tuple[int, ...]:
    """The channels that pictures show, see `images.visible`."""
    return self.experiment.data.shown_channels

  @property
  def num_parameters(self) -> int:
    """The number of parameters."""
    return sum(x.size for x in jax.tree.leaves(self.params))

  @property
  def conditions(self) -> dict[str, tuple[str, ...]]:
    """The conditions of the denoiser, with their values."""
    conditions = self.experiment.diffusion.conditions
    return {name: tuple(self.names[name]) for name in conditions}

  def cached(
    self, build: Callable[[LoadedRun, Unpack[Args]], T], *args: *Args
  ) -> T:
    """The cached result of `build(self, *args)`, such as a compiled program."""
    key = build, *args
    if key not in self._cache:
      self._cache[key] = build(self, *args)
    return self._cache[key]

  def task_at(self, resolution: int) -> Task:
    """The model family at another resolution."""
    return families.build(
      self.experiment,
      self.names,
      stage=self.stage,
      resolution=resolution,
      companions=self.companions,
    )

  def with_data(self, path: str) -> Self:
    """The run with its data at another path than in training; masks, hints
    and small images beside them have moved with them.

    Raises:
      UserError: the data are drawn, not read.
    """
    data = self.experiment.data
    if data.source in ("textures", "rocks"):
      raise UserError(
        f"--data={path}: expected a run of data that are read, got"
        f" data.source={data.source}."
      )
    beside = {k: getattr(data, k) for k in ("masks", "hints", "lows")}
    folders = {k: _moved(x, data.path, path) for k, x in beside.items()}
    moved = dataclasses.replace(data, path=path, **folders)
    experiment = dataclasses.replace(self.experiment, data=moved)
    return dataclasses.replace(self, experiment=experiment)

  def source(self, split: Split) -> Source:
    """The data of a split."""
    return sources.build(self.experiment.data, split, self.resolution)

  def images(self, split: Split = "validation", num: int = 16) -> np.ndarray:
    """At most `num` fixed, evenly spaced tiles `(n, h, w, c)` of a split of the
    run's data, in the type of the source."""
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
    sampled as in training, from the random stream `stream`."""
    batches = pipeline.batches(
      self.source("train"),
      self.experiment.data,
      batch_size=BATCH,
      stream=stream,
    )
    parts, loop = [], progress.loop("reading training tiles", num)
    with contextlib.closing(batches), loop as advance:
      for _ in range(-(-num // BATCH)):
        batch = next(batches).items()
        parts.append({k: v for k, v in batch if not keep or k in keep})
        advance(BATCH)
    return {k: np.concatenate([x[k] for x in parts])[:num] for k in parts[0]}

  def whole_batch(self, batch: int, num: int) -> int:
    """The batch size for `num` images: `batch`, or the next power of two for
    fewer images; rounded up to a multiple of the number of devices."""
    check_value("batch", PositiveInt, batch)
    size = min(batch, 1 << (num - 1).bit_length())
    devices = self.layout.mesh.size
    return -(-size // devices) * devices

  def check_images(
    self, images: np.ndarray, *, largest: int = 0, channels: int = 0
  ) -> None:
    """Raise a UserError if images do not fit this run; with `largest` they may
    be larger, up to that side, and `channels` are other than its own."""
    dtype, shape = getattr(images, "dtype", type(images)), np.shape(images)
    side, channels = self.resolution, channels or self.image_shape[2]
    most = max(largest, side)
    fits = len(shape) == 4 and shape[0] and shape[3] == channels
    fits = fits and side <= min(shape[1:3]) and max(shape[1:3]) <= most
    if not fits or dtype not in (np.uint8, np.uint16, np.float32):
      size = f"{side}, {side}, {channels}"
      larger = f", at most {most} high and wide" if largest else ""
      raise UserError(
        f"images: expected uint8 (n, {size}){larger}, got {dtype} {shape}."
      )
    if dtype == np.float32 and not np.abs(images).max() <= 1.0001:
      raise UserError("images: expected finite float32 values in [-1, 1].")

  def _repr_html_(self) -> str:
    return html.run_html(self)


def _moved(folder: str, before: str, now: str) -> str:
  """A folder beside data that have moved; unchanged if it is there."""
  here = pathlib.Path(folder), pathlib.Path(now) / folder
  if not folder or any(x.exists() for x in here):
    return folder
  return os.path.normpath(os.path.join(now, os.path.relpath(folder, before)))


def _frozen(run: LoadedRun) -> dict[str, Params]:
  frozen = run.companions.frozen(run.task)
  return jax.device_put(frozen, run.layout.replicated)


def check_pixels(run: LoadedRun, purpose: str) -> None:
  """Raise a UserError if a run's denoiser works on latents."""
  if run.experiment.latent.run:
    raise UserError(
      f"{purpose}: expected a run of pixels, got {run.workdir}, whose denoiser"
      " works on latents."
    )


def check_finite(run: LoadedRun, *, finite: bool) -> None:
  """Raise a UserError if images that a run has drawn are not finite."""
  if not finite:
    raise UserError(
      f"{run.workdir}: the images are not finite, since the weights are damaged"
      " or the model has diverged; choose another --checkpoint."
    )
