"""Small images beside a folder of images: of the same names, smaller by a
factor."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import resize
from jaxgen.data.files import hints, partners
from jaxgen.data.files.partners import Kind, Partners
from jaxgen.formats import image_files
from jaxgen.formats.problems import listed

KIND = Kind(
  noun="small image", field="data.lows", suffixes=image_files.SUFFIXES
)


def open_lows(
  folder: pathlib.Path, names: Sequence[str], options: DataConfig
) -> Partners:
  """Find and check the small images; see `partners.open_partners`."""
  found = partners.open_partners(folder, names, options, KIND)
  checked = [
    hints.usable(x, options.channels, field="data.channels")
    for x in found.checked
  ]
  return dataclasses.replace(found, checked=checked)


def read(path: str, channels: int, *, bits: int) -> np.ndarray:
  """The pixels (h, w, channels) of a small image that has passed the check."""
  pixels = image_files.read_pixels(path, bits=bits)
  return resize.to_channels(pixels, channels)


def fingerprint(found: Partners, factor: int) -> str:
  """The contents of small images."""
  return " ".join((*(x.digest for x in found.infos), f"factor {factor}"))


def warnings(found: Partners) -> list[str]:
  """What is doubtful about small images, in sentences."""
  others = found.others
  said = f"{len(others):,} small images have no image: {listed(others)}"
  return [said] * any(others)
