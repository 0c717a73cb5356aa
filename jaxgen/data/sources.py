"""From a config to a source: the one place that knows sources by name."""

from __future__ import annotations

import functools

from jaxgen.config.data import DataConfig, Split
from jaxgen.data.arrays import arrays
from jaxgen.data.folder import folder
from jaxgen.data.rocks.source import rocks
from jaxgen.data.source import Source
from jaxgen.data.textures import textures
from jaxgen.data.tfds import records, tfds
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
  """The source that `options.source` names.

  Raises:
    UserError: an unknown name, or whatever the source finds wrong.
  """
  if options.source not in SOURCES:
    raise UserError(
      f"data.source={options.source!r}: known are {', '.join(SOURCES)}."
    )
  if 0 < options.crop_size < resolution and not options.upsample:
    raise UserError(
      f"data.crop_size={options.crop_size}: tiles of {resolution} pixels would "
      "be enlarged; set data.upsample=True to allow it."
    )
  return SOURCES[options.source](options, split, resolution)
