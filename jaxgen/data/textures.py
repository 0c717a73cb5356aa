"""The built-in photographs of brick, grass and gravel.

512 x 512 gray, CC0 (cc0textures.com), included in scikit-image's wheel: nothing
is downloaded. The bottom quarter of each is the validation split.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.resources
from typing import Literal

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.config.fields import check_value
from jaxgen.data import photos, tiles
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats import image_files

NAMES = ("brick", "grass", "gravel")
_SIDE = 512
_VALIDATION = 0.25


def textures(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of the three textures, labeled by texture.

  An epoch has a few thousand random crops of 32 or 64 pixels.

  Options used: `channels, crop (random or tiled), crop_size`.

  Raises:
    UserError: `crop=whole`, or tiles of more than 256 pixels.
  """
  check_value("data.channels", Literal[1, 3], options.channels)
  size = options.crop_size or resolution
  if options.crop == "whole" or 2 * size > _SIDE:
    raise UserError(
      "data.source=textures: expected data.crop=random or tiled, and tiles of"
      f" at most {_SIDE // 2} pixels, got data.crop={options.crop} and {size}"
      " pixels"
    )
  described = photos.Photos(
    names=NAMES,
    sizes=[(_SIDE, _SIDE)] * len(NAMES),
    digests=[hashlib.sha256(_read_bytes(name)).hexdigest() for name in NAMES],
    load=_photo,
    stack=_stack,
    labels=range(len(NAMES)),
    label_names=NAMES,
  )
  by_regions = dataclasses.replace(
    options, split_by="regions", validation_fraction=_VALIDATION
  )
  return tiles.cut(described, by_regions, split=split, resolution=resolution)


def _photo(index: int) -> tuple[np.ndarray]:
  return (_stack()[index],)


@functools.cache
def _stack() -> np.ndarray:
  """The three photographs (3, h, w, 1), read-only."""
  images = [image_files.decode(_read_bytes(name), bits=8) for name in NAMES]
  stack = np.stack(images)
  stack.flags.writeable = False
  return stack


def _read_bytes(name: str) -> bytes:
  file = importlib.resources.files("skimage") / "data" / f"{name}.png"
  try:
    return file.read_bytes()
  except OSError as error:
    raise UserError(
      f"scikit-image has no data/{name}.png: reinstall it (0.25 or later), or"
      " use data.source=rocks"
    ) from error
