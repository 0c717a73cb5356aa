"""What is doubtful about data, in words, and what is contradictory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxgen.data.summary import DataSummary
from jaxgen.errors import UserError

FEW = 5  # images of a class, or of a split
USED = 0.25  # share of the value range below which it is probably wrong
RARE = 0.001  # share of the pixels below which a mask's label is rare
HIDDEN = "hidden"  # files, which nobody misses
RANGE = "data.value_range"
SKIPPED = 0.1  # share of the images that may be skipped
ENLARGED = 0.25  # share of tiles that may seem enlarged
LISTED = 5  # classes in a sentence


def warnings(summary: DataSummary) -> list[str]:
  """Sentences about what is doubtful, those of the source first."""
  return [
    *summary.notes,
    *_about_split(summary),
    *_about_labels(summary),
    *_about_values(summary),
    *_about_detail(summary),
    *_about_masks(summary),
  ]


def check_classes(summary: DataSummary, *, labels_used: bool) -> None:
  """Raise a UserError if the model is to learn classes of which there are no
  training images."""
  missing = _missing(summary) if labels_used and summary.counted else []
  if missing:
    raise UserError(
      f"data.source={summary.source}: no training images of the class"
      f" {_listed(missing)}, which the model is conditioned on or predicts: all"
      " images are held out; add images, or change data.validation_fraction"
    )


def _missing(summary: DataSummary) -> list[str]:
  """The classes that have images, but none of them in training."""
  train = summary.train_classes
  return [k for k, n in summary.classes.items() if n and not train.get(k)]


def _about_split(summary: DataSummary) -> Iterator[str]:
  if summary.validation < FEW and not summary.by_regions:
    yield (
      f"Only {_images(summary.validation)} held out: held-out scores are"
      " uncertain."
    )
  reasons = summary.skipped.items()
  skipped = sum(len(names) for why, names in reasons if why != HIDDEN)
  if skipped > SKIPPED * (summary.train + summary.validation):
    why = "; ".join(
      f"{reason}: {_listed([*names])}"
      for reason, names in reasons
      if reason != HIDDEN
    )
    yield f"Not used: {skipped} of the files, pages and rows ({why})."
  if summary.duplicates:
    yield (
      f"{_images(summary.duplicates)} identical to others, and not used again."
    )
  if same := _identical(summary):
    yield (
      f"{same} of {len(summary.sample['validation']['image'])} held-out tiles"
      " examined are identical to a training tile."
    )


def _tables(summary: DataSummary) -> list[str]:
  """Tables that are not read, where there are no labels."""
  if summary.classes:
    return []
  names = [x for names in summary.skipped.values() for x in names]
  return [x for x in names if x.lower().endswith((".csv", ".tsv"))]


def _identical(summary: DataSummary) -> int:
  """The number of held-out tiles, among those examined, that are training tiles
  as well; tiles of a single value do not count."""
  tiles = {k: x["image"] for k, x in summary.sample.items()}
  train = {tile.tobytes() for tile in tiles["train"]}
  return sum(
    tile.tobytes() in train and tile.min() < tile.max()
    for tile in tiles["validation"]
  )


def _about_labels(summary: DataSummary) -> Iterator[str]:
  if tables := _tables(summary):
    yield (
      f"Not read: {_listed(tables)}. Labels are those of index.csv, with the"
      " columns file and label."
    )
  if summary.unlabelled:
    total = summary.train + summary.validation
    yield f"{summary.unlabelled} of {total} images have no label."
  if not summary.counted:
    return
  if missing := _missing(summary):
    yield f"No training images of the class {_listed(missing)}."
  train, held_out = summary.train_classes, summary.held_out_classes
  if unseen := [k for k, n in train.items() if n and not held_out.get(k)]:
    yield (
      f"No held-out images of the class {_listed(unseen)}: no score tells how"
      " well they are learned."
    )
  few = [k for k, n in train.items() if 0 < n < FEW]
  if few and not summary.by_regions:
    yield f"Fewer than {FEW} training images of the class {_listed(few)}."
  empty = [k for k, n in summary.classes.items() if not n]
  if empty:
    yield f"No images at all of the class {_listed(empty)}."
  if len(train) == 1:
    yield f"All labels are equal: {_listed([*train])}."


def _about_values(summary: DataSummary) -> Iterator[str]:
  if not any(RANGE in note for note in summary.notes):  # the source's own
    yield from _about_range(summary)
  images = summary.sample["train"]["image"]
  constant = np.ptp(images.reshape(len(images), -1), axis=1) == 0
  if constant.mean() > 0.5:
    yield (
      f"{int(constant.sum())} of {len(images)} training tiles examined have a"
      " single value."
    )
  if len({*summary.stored_channels}) > 1:
    kinds = " and ".join(map(str, sorted({*summary.stored_channels})))
    yield f"Images have {kinds} channels; the tiles have {summary.channels}."
  elif summary.channels == 1 and 3 in summary.stored_channels:
    yield "Color images are converted to gray (data.channels=1)."


def _about_range(summary: DataSummary) -> Iterator[str]:
  (black, white), (low, high) = summary.value_range, summary.value_seen
  if high - low < USED * (white - black):
    yield (
      f"The values, {low:g} to {high:g}, use little of the range from black,"
      f" {black:g}, to white, {white:g}: is {RANGE} right?"
    )
  if low < black or high > white:
    yield (
      f"The values, {low:g} to {high:g}, exceed the range from black,"
      f" {black:g}, to white, {white:g}: they are clipped."
    )


def _about_detail(summary: DataSummary) -> Iterator[str]:
  enlarged, examined = summary.enlarged
  if examined >= FEW and enlarged > ENLARGED * examined:
    yield (
      f"{enlarged} of {examined} training tiles examined lack detail, as"
      " enlarged images do: a model learns to enlarge from sharp images alone;"
      " use the originals, or reduce them (data.crop_size above"
      " stages.resolution)."
    )


def _about_masks(summary: DataSummary) -> Iterator[str]:
  if len(summary.masks) == 1:
    yield f"All pixels of the masks have the label {next(iter(summary.masks))}."
  rare = [str(k) for k, share in summary.masks.items() if share < RARE]
  if rare:
    yield (
      f"Fewer than one pixel in {1 / RARE:,.0f} of the masks has the label"
      f" {_listed(rare)}."
    )


def _images(number: int) -> str:
  return f"{number} image is" if number == 1 else f"{number} images are"


def _listed(names: list[str]) -> str:
  """The first names, and how many more there are."""
  more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
  return ", ".join(names[:LISTED]) + more
