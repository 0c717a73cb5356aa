"""What a source has found in its data: what was used, how, and what was not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
  """What a source knows about its data besides the tiles of a split.

  Attributes:
    split: how images were split, and why, in a sentence; empty: by the source.
    by_regions: whether the splits are parts of the same images.
    images: number of images (photographs) of each split.
    classes: number of images of each class, by split.
    sizes: smallest and largest image, each (height, width).
    unlabelled: images without a label, of a set with labels.
    skipped: names of the files, pages and rows that are not used, by reason.
    bits: bits per value that are kept; 0: floating point.
    stored_channels: channels of the stored images.
    value_seen: smallest and largest stored value, where it is known.
    masks: share of the pixels with each label.
    train_masks: the same of training images.
    duplicates: identical images that were dropped.
    warnings: sentences about what is doubtful.
  """

  split: str = ""
  by_regions: bool = False
  images: Mapping[str, int] = dataclasses.field(default_factory=dict)
  classes: Mapping[str, Mapping[str, int]] = dataclasses.field(
    default_factory=dict
  )
  sizes: Sequence[tuple[int, int]] = ()
  unlabelled: int = 0
  skipped: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
  bits: int = 8
  stored_channels: Sequence[int] = ()
  value_seen: tuple[float, float] | None = None
  masks: Mapping[int, float] = dataclasses.field(default_factory=dict)
  train_masks: Mapping[int, float] = dataclasses.field(default_factory=dict)
  duplicates: int = 0
  warnings: Sequence[str] = ()
