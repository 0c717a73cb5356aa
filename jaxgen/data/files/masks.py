"""Masks beside a folder of images: label images of the same names.

Most programs save a mask of two kinds as black and white, 0 and 255; where the
masks of a folder hold nothing else, they are read as the labels 0 and 1.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data.files import partners
from jaxgen.data.files.partners import Kind, Partners
from jaxgen.formats import image_files
from jaxgen.formats.problems import listed

KIND = Kind(
  noun="mask",
  field="data.masks",
  suffixes=(".png", ".tif", ".tiff", ".bmp"),
  labels=True,
)
_TWO_KINDS = {"0", "255"}, {"0", "65535"}  # black and white


@dataclasses.dataclass(frozen=True, kw_only=True)
class Masks(Partners):
  """The masks of images."""

  @functools.cached_property
  def two_kinds(self) -> bool:
    """Whether black and white are read as 0 and 1."""
    return {x for info in self.infos for x in info.labels} in _TWO_KINDS


def open_masks(
  folder: pathlib.Path, names: Sequence[str], options: DataConfig
) -> Masks:
  """Find and check the masks of images; see `partners.open_partners`."""
  return Masks(**vars(partners.open_partners(folder, names, options, KIND)))


def read_labels(path: str, *, two_kinds: bool) -> np.ndarray:
  """The labels (h, w) int32 of a mask, upright.

  Args:
    path: a file that has passed the check.
    two_kinds: read black and white as 0 and 1.
  """
  labels = image_files.read_labels(path)
  return np.minimum(labels, 1) if two_kinds else labels


def label_counts(masks: Masks, image: int) -> dict[int, int]:
  """The number of pixels with each label in the mask of an image."""
  info = masks.checked[image]
  counts: collections.Counter[int] = collections.Counter()
  for label, count in info.labels.items() if not isinstance(info, str) else ():
    counts[min(int(label), 1) if masks.two_kinds else int(label)] += count
  return dict(counts)


def fingerprint(masks: Masks) -> str:
  """The contents of masks and how they are read."""
  digests = [info.digest for info in masks.infos]
  return " ".join((*digests, *["two kinds"] * masks.two_kinds))


def warnings(masks: Masks) -> list[str]:
  """What is doubtful about masks, in sentences."""
  found = []
  if masks.two_kinds:
    found.append(
      f"the masks in {masks.folder} hold black and white alone: they are read"
      " as the labels 0 and 1"
    )
  labels = {int(label) for info in masks.infos for label in info.labels}
  if len(labels) == 1:
    found.append(
      f"the masks in {masks.folder} hold nothing but the label {min(labels)}"
    )
  if masks.others:
    found.append(
      f"{len(masks.others):,} masks have no image: {listed(masks.others)}"
    )
  return found
