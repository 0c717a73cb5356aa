"""Hints beside a folder of images: images of the same names and sizes."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from jaxgen.config.data import DataConfig
from jaxgen.data import resize
from jaxgen.data.files import partners
from jaxgen.data.files.partners import Kind, Partners
from jaxgen.formats import image_files
from jaxgen.formats.image_files import ImageInfo

KIND = Kind(noun="hint", field="data.hints", suffixes=image_files.SUFFIXES)


def open_hints(
  folder: pathlib.Path, names: Sequence[str], options: DataConfig
) -> Partners:
  """Find and check the hints of images; see `partners.open_partners`."""
  found = partners.open_partners(folder, names, options, KIND)
  checked = [
    usable(x, options.hint_channels, field="data.hint_channels")
    for x in found.checked
  ]
  return dataclasses.replace(found, checked=checked)


def usable(
  found: ImageInfo | str, channels: int, *, field: str
) -> ImageInfo | str:
  """What is known of an image that is read with the channels of a field, or why
  it cannot be used."""
  if isinstance(found, str):
    return found
  if found.bits not in (8, 16) or found.dtype not in ("uint8", "uint16"):
    return f"values of type {found.dtype}, expected uint8 or uint16"
  if len(found.pages) > 1:
    return f"several pages ({len(found.pages)})"
  if not resize.converts(found.channels, channels):
    return (
      f"{found.channels} channels, which cannot be converted to"
      f" {field}={channels}"
    )
  return found


def most_bits(found: Partners | None) -> int:
  """The bits to which all hints are scaled: 16 if one has 16."""
  return max((x.bits for x in found.infos), default=8) if found else 8


def fingerprint(found: Partners, channels: int) -> str:
  """The contents of hints and how they are read."""
  return " ".join((*(x.digest for x in found.infos), f"{channels} channels"))
