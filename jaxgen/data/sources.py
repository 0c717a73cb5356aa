"""The sources by name, and construction of a config's source."""

from __future__ import annotations

import functools

from jaxgen.config.data import DataConfig, Split
from jaxgen.config.experiment import Experiment
from jaxgen.data.degraded import degraded
from jaxgen.data.files.arrays import arrays
from jaxgen.data.files.folder import folder
from jaxgen.data.files.records import records
from jaxgen.data.files.tfds import tfds
from jaxgen.data.order import order_of
from jaxgen.data.rocks.source import rocks
from jaxgen.data.source import Source
from jaxgen.data.textures import textures
from jaxgen.errors import UserError

SOURCES = {
  "textures": textures,
  "rocks": rocks,
  "folder": folder,
  "arrays": arrays,
  "tfds": tfds,
  "records": records,
}


@functools.lru_cache(maxsize=8)  # opening a folder may read every file
def build(options: DataConfig, split: Split, resolution: int) -> Source:
  """Build the source named by `options.source`.

  Raises:
    UserError: crops smaller than a tile, or an error of the source.
  """
  if 0 < options.crop_size < resolution and not options.upsample:
    raise UserError(
      f"data.crop_size={options.crop_size}: expected at least the resolution, "
      f"{resolution}; set data.upsample=True to enlarge crops."
    )
  source = SOURCES[options.source](options, split, resolution)
  if split == "train":
    order_of(source, options, batch=1, seed=0)  # may raise
  made = options.factor and options.degradation != "pairs"
  return degraded(source, options) if made else source


def fingerprint(experiment: Experiment) -> str:
  """The fingerprints of the data of both splits."""
  resolution = experiment.stages[0].resolution
  splits: tuple[Split, ...] = ("train", "validation")
  return " ".join(
    build(experiment.data, split, resolution).fingerprint for split in splits
  )
