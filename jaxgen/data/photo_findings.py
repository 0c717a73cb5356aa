"""What is known of the photographs of a split, besides their tiles."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import splits
from jaxgen.data.findings import Findings
from jaxgen.data.photos import Photos

TOO_SMALL = "smaller than a tile"
MAX_REASON = 60  # characters of a reason


def complete(
  photos: Photos,
  options: DataConfig,
  *,
  split: Split,
  used: Sequence[int],
  too_small: Iterable[int],
) -> Findings:
  """The findings of a reader of photographs, completed for a split.

  Args:
    photos: the photographs, with the findings of their reader.
    options: the section `data`.
    split: the split.
    used: the photographs of the split.
    too_small: the photographs that are smaller than a tile.
  """
  known, chosen = photos.findings, sorted({*used})
  labels = np.asarray(photos.labels, np.int32)
  labels = labels[chosen] if len(labels) else labels
  by_folder = splits.by_folder(photos.names, photos.digests) is not None
  copies = len(photos.digests) - len({*photos.digests})
  return dataclasses.replace(
    known,
    split=known.split or _split_sentence(options, by_folder=by_folder),
    by_regions=options.split_by == "regions" and not by_folder,
    images={split: len(chosen)},
    classes={split: _count(labels, photos.label_names)},
    sizes=_extremes([photos.sizes[i] for i in chosen]),
    unlabelled=int((labels < 0).sum()),
    skipped=_skipped(photos, too_small),
    duplicates=known.duplicates or copies,
  )


def _split_sentence(options: DataConfig, *, by_folder: bool) -> str:
  share = f"{options.validation_fraction:.0%}"
  if by_folder:
    return "by the names of folders"
  if options.split_by == "regions":
    return (
      f"by regions: the last {share} of each image, at least one tile, are held"
      " out (data.split_by=regions)"
    )
  return (
    f"by content: {share} of the images, chosen by their digests, are held out"
    " (data.split_by=files)"
  )


def _count(labels: np.ndarray, names: Sequence[str]) -> Mapping[str, int]:
  """The number of images of each class."""
  counts = np.bincount(labels[labels >= 0], minlength=len(names))
  return dict(zip(names, counts.tolist(), strict=True))


def _extremes(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
  """The smallest and the largest of sizes, by their number of pixels."""
  ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
  return [ordered[0], ordered[-1]] if ordered else []


def _skipped(
  photos: Photos, too_small: Iterable[int]
) -> dict[str, Sequence[str]]:
  """The names of what is not used, by reason: those of the reader, its
  problems, and photographs that are too small."""
  known = photos.findings.skipped
  listed = {name for names in known.values() for name in names}
  found: dict[str, list[str]] = collections.defaultdict(list)
  for problem in photos.problems:
    name, _, reason = problem.partition(": ")
    if name not in listed:
      found[reason[:MAX_REASON]].append(name)
  small = [photos.names[photo] for photo in sorted(too_small)]
  small = [name for name in small if name not in listed]
  extra = {TOO_SMALL: small} if small else {}
  return {**known, **found, **extra}
