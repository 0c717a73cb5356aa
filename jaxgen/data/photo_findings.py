"""What is known of photographs once they are divided into splits."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from jaxgen.config.data import Split
from jaxgen.data.findings import Findings
from jaxgen.data.partition import OUTSIDE, Partition
from jaxgen.data.photos import Photos
from jaxgen.formats import problems

TooSmall = Mapping[int, str]  # "name: reason" of photographs


def complete(
  photos: Photos, parts: Partition, *, too_small: TooSmall
) -> Findings:
  """The findings of a source, with what is known after the partition."""
  used: dict[Split, list[int]] = {
    split: [photo for photo, _ in boxes if photo not in too_small]
    for split, boxes in parts.boxes.items()
  }
  every = sorted({i for indices in used.values() for i in indices})
  found = photos.findings
  unusable = [*photos.problems, *too_small.values()]
  return dataclasses.replace(
    found,
    split=found.split or parts.how,
    by_regions=parts.by_regions,
    images={split: len(indices) for split, indices in used.items()},
    classes={k: _count_classes(photos, x) for k, x in used.items()},
    sizes=_extremes([photos.sizes[i] for i in every]),
    unlabelled=_unlabelled(photos, every),
    skipped={
      **found.skipped,
      **parts.unused,
      **problems.by_reason(unusable),
    },
    masks=_mask_shares(photos, every),
    train_masks=_mask_shares(photos, used["train"]),
    duplicates=parts.duplicates,
    warnings=(
      *found.warnings,
      *_warnings(parts),
      *_mask_warnings(photos, used),
    ),
  )


def _mask_shares(photos: Photos, used: Sequence[int]) -> dict[int, float]:
  """The share of the pixels with each label, in ascending order."""
  counts: collections.Counter[int] = collections.Counter()
  for i in used if photos.mask_counts else ():
    counts.update(photos.mask_counts[i])
  total = counts.total()
  return {label: count / total for label, count in sorted(counts.items())}


def _mask_warnings(
  photos: Photos, used: Mapping[Split, Sequence[int]]
) -> Iterator[str]:
  """That labels of masks occur in one split alone."""
  labels = {k: {*_mask_shares(photos, x)} for k, x in used.items()}
  for split, other in (("training", "validation"), ("held-out", "train")):
    own = labels["train" if split == "training" else "validation"]
    if missing := sorted(labels[other] - own):
      shown = problems.listed([str(label) for label in missing])
      yield f"no mask of a {split} image has the label {shown}"


def _count_classes(photos: Photos, used: Sequence[int]) -> dict[str, int]:
  """The number of images of each class among those used."""
  if not photos.label_names:
    return {}
  labels = np.asarray(photos.labels, np.int32)[used]
  counts = np.bincount(labels[labels >= 0], minlength=len(photos.label_names))
  return dict(zip(photos.label_names, counts.tolist(), strict=True))


def _unlabelled(photos: Photos, used: Sequence[int]) -> int:
  if not photos.label_names:
    return 0
  return int((np.asarray(photos.labels)[used] < 0).sum())


def _extremes(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
  """The smallest and the largest of sizes, by their number of pixels."""
  ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
  return [ordered[0], ordered[-1]] if ordered else []


def _warnings(parts: Partition) -> list[str]:
  found = []
  outside = parts.unused.get(OUTSIDE, ())
  if outside:
    shown = problems.listed(outside)
    found.append(f"{len(outside):,} images are {OUTSIDE}, not used: {shown}")
  if parts.shared_file:
    found.append(
      "all images are of one file and divided among both splits, though those"
      " of a file may be alike: data.split_by=regions keeps them apart, and so"
      " do folders such as train/ and valid/"
    )
  if parts.shared:
    found.append(
      f"{parts.shared:,} images of the training folder are held out as well:"
      " they are not trained on"
    )
  return found
