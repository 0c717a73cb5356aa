"""Small images beside a folder of images: of the same names, smaller by a
factor."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from jaxgen.config.data import DataConfig
from jaxgen.data.files import hints, partners
from jaxgen.data.files.partners import Kind, Partners
from jaxgen.formats import image_files

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


def fingerprint(found: Partners, factor: int) -> str:
  """The contents of small images."""
  return " ".join((*(x.digest for x in found.infos), f"factor {factor}"))
