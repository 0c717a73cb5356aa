"""The images beside a folder of images: masks, hints and small images."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.config.data import DataConfig
from jaxgen.data.files import hints, lows, masks, partners
from jaxgen.data.files.masks import Masks
from jaxgen.data.files.partners import Kind, Partners
from jaxgen.formats.image_files import ImageInfo

Folders = Mapping[str, pathlib.Path]


def find_folders(root: pathlib.Path, options: DataConfig) -> Folders:
  """The folders that a config names, by their field."""
  fields = {"masks": masks.KIND, "hints": hints.KIND, "lows": lows.KIND}
  found = {
    name: partners.find_folder(root, getattr(options, name), kind)
    for name, kind in fields.items()
  }
  return {name: folder for name, folder in found.items() if folder is not None}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beside:
  """What lies beside images; None where there is nothing.

  Attributes:
    options: how it is read.
    masks: label images.
    hints: images of the same sizes.
    lows: small images.
  """

  options: DataConfig
  masks: Masks | None = None
  hints: Partners | None = None
  lows: Partners | None = None

  def fit(self, images: Sequence[ImageInfo | str]) -> list[ImageInfo | str]:
    """What is known of images, or why they cannot be used with these."""
    fitted = list(images)
    for found, kind, factor in self._kinds():
      fitted = partners.fit_all(fitted, found, kind, factor=factor)
    return fitted

  def unused(self) -> dict[str, Sequence[str]]:
    """The files without an image, by kind."""
    return {
      f"{kind.noun} without an image": found.others
      for found, kind, _ in self._kinds()
      if found.others
    }

  def warnings(self) -> list[str]:
    """What is doubtful, in sentences."""
    return [
      *(masks.warnings(self.masks) if self.masks else ()),
      *(partners.warnings(self.hints, hints.KIND) if self.hints else ()),
      *(partners.warnings(self.lows, lows.KIND) if self.lows else ()),
    ]

  def fingerprint(self) -> str:
    """The contents of the files and how values are read."""
    options = self.options
    scale = str(options.value_range) if options.value_range else ""
    channels, factor = options.hint_channels, options.factor
    told = hints.fingerprint(self.hints, channels) if self.hints else ""
    given = lows.fingerprint(self.lows, factor) if self.lows else ""
    return (masks.fingerprint(self.masks) if self.masks else "") + (
      scale + told + given
    )

  def mask_counts(self, files: Sequence[int]) -> list[dict[int, int]]:
    """The pixels with each label in the mask of each file."""
    if not self.masks:
      return []
    return [masks.label_counts(self.masks, i) for i in files]

  def _kinds(self) -> list[tuple[Partners, Kind, int]]:
    """What there is, and by which factor it is smaller."""
    every = (
      (self.masks, masks.KIND, 1),
      (self.hints, hints.KIND, 1),
      (self.lows, lows.KIND, self.options.factor),
    )
    return [(x, kind, f) for x, kind, f in every if x is not None]


def open_beside(
  folders: Folders, names: Sequence[str], options: DataConfig
) -> Beside:
  """Find and check what lies beside images; see `partners.open_partners`."""
  openers: dict[str, Any] = {
    "masks": masks.open_masks,
    "hints": hints.open_hints,
    "lows": lows.open_lows,
  }
  found = {k: openers[k](x, names, options) for k, x in folders.items()}
  return Beside(options=options, **found)


def paths_of(found: Partners | None, files: Sequence[int]) -> tuple[str, ...]:
  """The partner of each file; empty if there are none."""
  return tuple(str(found.paths[i]) for i in files) if found else ()
