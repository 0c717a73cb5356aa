"""A summary of data: what is trained on, what is held out, and how.

It is made of the findings of the sources of both splits and of some of their
tiles.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import enlarged, pipeline
from jaxgen.data.source import Element, Source

SAMPLED = 96  # tiles of each split that are read
NAMED = 5  # names of files that are listed for each reason
_WHITE = {"uint8": 255.0, "uint16": 65535.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSummary:
  """A summary of the data of an experiment.

  Attributes:
    source: kind of source.
    path: path of the data, if they have one.
    resolution: side of a tile in pixels.
    channels: channels of a tile.
    train, validation: number of images of each split.
    tiles: number of tiles of each split.
    split: how images were split, and why.
    by_regions: whether the splits are parts of the same images.
    classes: number of images of each class.
    train_classes: number of training images of each class.
    held_out_classes: number of held-out images of each class.
    counted: whether classes were counted, rather than estimated from tiles.
    unlabelled: images without a label, of a set with labels.
    skipped: names of what is not used, by reason.
    bits: bits per value; 0: floating point.
    stored_channels: channels of the stored images.
    sizes: smallest and largest image, each (height, width).
    value_range: stored values of black and white.
    value_seen: smallest and largest stored value; of some tiles, if the source
      does not know.
    masks: share of the pixels with each label.
    train_masks: the same of training images.
    duplicates: identical images that were dropped.
    enlarged: number of training tiles, of those read, that seem to be
      enlargements, and of those in which it can be seen; where it matters.
    notes: sentences of the source about what is doubtful.
    sample: some tiles of each split.
  """

  source: str
  path: str
  resolution: int
  channels: int
  train: int
  validation: int
  tiles: Mapping[str, int]
  split: str
  by_regions: bool
  classes: Mapping[str, int]
  train_classes: Mapping[str, int]
  held_out_classes: Mapping[str, int]
  counted: bool
  unlabelled: int
  skipped: Mapping[str, Sequence[str]]
  bits: int
  stored_channels: Sequence[int]
  sizes: Sequence[tuple[int, int]]
  value_range: tuple[float, float]
  value_seen: tuple[float, float]
  masks: Mapping[int, float]
  train_masks: Mapping[int, float]
  duplicates: int
  enlarged: tuple[int, int]
  notes: Sequence[str]
  sample: Mapping[str, Element]


def summarize(
  train: Source, validation: Source, options: DataConfig
) -> DataSummary:
  """The summary of the data of both splits; reads some tiles."""
  sources = {"train": train, "validation": validation}
  sample = {
    name: pipeline.stack(pipeline.fixed_tiles(source, SAMPLED))
    for name, source in sources.items()
  }
  images = sample["train"]["image"]
  known, value_range = train.findings, _value_range(images, options)
  classes = {k: _classes(x, sample[k], k) for k, x in sources.items()}
  distinct = ("train",) if known.by_regions else ("train", "validation")
  return DataSummary(
    source=options.source,
    path=options.path,
    resolution=images.shape[1],
    channels=images.shape[-1],
    **{k: _num_images(source, k) for k, source in sources.items()},
    tiles={name: len(source) for name, source in sources.items()},
    split=known.split,
    by_regions=known.by_regions,
    classes={
      name: sum(classes[k].get(name, 0) for k in distinct)
      for name in train.label_names
    },
    train_classes=classes["train"],
    held_out_classes=classes["validation"],
    counted="train" in known.classes,
    unlabelled=known.unlabelled,
    skipped=known.skipped,
    bits=known.bits if images.dtype.kind == "f" else 8 * images.itemsize,
    stored_channels=known.stored_channels,
    sizes=known.sizes,
    value_range=value_range,
    value_seen=known.value_seen or _seen(images, value_range),
    masks=known.masks or _mask_shares([*sample.values()]),
    train_masks=known.train_masks or _mask_shares([sample["train"]]),
    duplicates=known.duplicates,
    enlarged=enlarged.count(images) if options.factor else (0, 0),
    notes=known.warnings,
    sample=sample,
  )


def _num_images(source: Source, split: str) -> int:
  return source.findings.images.get(split, len(source))


def _value_range(
  images: np.ndarray, options: DataConfig
) -> tuple[float, float]:
  """The stored values of black and white, given tiles."""
  white = _WHITE.get(images.dtype.name)
  if white is not None:
    return 0.0, white
  black, white = options.value_range or (0.0, 1.0)
  return black, white


def _seen(
  images: np.ndarray, value_range: tuple[float, float]
) -> tuple[float, float]:
  """The smallest and largest value of tiles, as they are stored."""
  low, high = float(images.min()), float(images.max())
  if images.dtype.kind != "f":
    return low, high
  black, white = value_range
  scaled: Callable = lambda x: (x + 1) / 2 * (white - black) + black  # noqa: E731
  return scaled(low), scaled(high)


def _classes(source: Source, sample: Element, split: str) -> Mapping[str, int]:
  """The number of images of each class, estimated from tiles if the source has
  not counted them."""
  known = source.findings.classes.get(split)
  if known is not None or "label" not in sample:
    return known or {}
  labels = sample["label"][sample["label"] >= 0]
  counts = np.bincount(labels, minlength=len(source.label_names))
  scale = _num_images(source, split) / len(sample["label"])
  numbers = (counts * scale).round().astype(int).tolist()
  return dict(zip(source.label_names, numbers, strict=False))


def _mask_shares(samples: Sequence[Element]) -> dict[int, float]:
  masks = [x["mask"].reshape(-1) for x in samples if "mask" in x]
  if not masks:
    return {}
  labels, counts = np.unique(np.concatenate(masks), return_counts=True)
  shares = (counts / counts.sum()).tolist()
  return dict(zip(labels.tolist(), shares, strict=True))
