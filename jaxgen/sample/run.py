"""A trained run, loaded: what runs of every kind have in common."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np

from jaxgen.config.data import Split
from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.data import pipeline, sources
from jaxgen.data.source import Element, Source
from jaxgen.errors import UserError
from jaxgen.latents.cache import LatentCache, affordable
from jaxgen.sample.weights import Weights
from jaxgen.tasks import families
from jaxgen.tasks.task import Task

BATCH = 64  # images a call of the compiled programs, unless asked otherwise


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LoadedRun(Weights):
  """A run's averaged weights and what can be done with them.

  Every program is compiled once for each batch size, runs on all its devices,
  and fills up the last batch instead of being compiled anew.
  """

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """(height, width, channels) of the images."""
    side = self.resolution
    return side, side, self.experiment.data.channels

  @property
  def resolution(self) -> int:
    """Side of the images, of the stage that the checkpoint is of."""
    return self.experiment.stages[self.stage].resolution

  def task_at(self, resolution: int) -> Task:
    """The model family at another resolution."""
    return families.build(
      self.experiment, self.names, stage=self.stage, resolution=resolution
    )

  def source(self, split: Split) -> Source:
    """The data of one split."""
    return sources.build(self.experiment.data, split, self.resolution)

  @property
  def latent_cache(self) -> LatentCache:
    """The encoder of training tiles."""
    wanted = self.experiment.train.latent_cache_tiles
    return LatentCache(
      self.task.codec,
      self.source("train"),
      self.experiment.data,
      self.layout,
      num=affordable(wanted, self.task.latent_shape),
      batch=self.whole_batch(BATCH, BATCH),
    )

  def images(self, split: Split = "validation", num: int = 16) -> np.ndarray:
    """At most `num` tiles `(n, h, w, c)` of the run's data, always the same
    ones, spread evenly over the split; of the source's own type."""
    return self.tiles(split, num)["image"]

  def tiles(self, split: Split = "validation", num: int = 16) -> Element:
    """The tiles of `images` with all that is known of them."""
    check_value("split", Split, split)
    check_value("num", PositiveInt, num)
    tiles = pipeline.fixed_tiles(self.source(split), num)
    return pipeline.stack(tiles)

  def drawn(
    self, num: int, stream: str, *, keep: tuple[str, ...] = ()
  ) -> Element:
    """`num` training tiles with all that is known of them (or what `keep`
    names), drawn as training draws them; another `stream` draws others."""
    batches = pipeline.batches(
      self.source("train"),
      self.experiment.data,
      batch_size=BATCH,
      stream=stream,
    )
    with contextlib.closing(batches):
      found = [
        {k: v for k, v in next(batches).items() if not keep or k in keep}
        for _ in range(-(-num // BATCH))
      ]
    return {k: np.concatenate([x[k] for x in found])[:num] for k in found[0]}

  def whole_batch(self, batch: int, num: int) -> int:
    """The batch size for `num` images: `batch`, or for fewer images the next
    power of two; as a multiple of the number of devices."""
    check_value("batch", PositiveInt, batch)
    size = min(batch, 1 << (num - 1).bit_length())
    devices = self.layout.mesh.size
    return -(-size // devices) * devices

  def check_images(self, images: np.ndarray) -> None:
    """Raise a UserError where images do not fit this run."""
    kind, shape = getattr(images, "dtype", type(images)), np.shape(images)
    good = len(shape) == 4 and shape[0] and shape[1:] == self.image_shape
    if not good or kind not in (np.uint8, np.uint16, np.float32):
      raise UserError(
        f"images {kind} {shape} do not fit this run: uint8 "
        f"(n, {', '.join(map(str, self.image_shape))}) are needed."
      )
    if kind == np.float32 and not np.abs(images).max() <= 1.0001:
      raise UserError("float32 images must be finite and lie in [-1, 1].")
