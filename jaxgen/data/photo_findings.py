"""What is known of photographs once they are split."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence

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
  used: Mapping[Split, Sequence[int]],
  too_small: Collection[int],
) -> Findings:
  """The findings of a reader of photographs, with what is known after they are
  split.

  Args:
    photos: the photographs, with the findings of their reader.
    options: the section `data`.
    used: the photographs of each split, also those that are too small.
    too_small: the photographs that are smaller than a tile.
  """
  known = photos.findings
  chosen = {k: [i for i in x if i not in too_small] for k, x in used.items()}
  every = sorted({i for indices in chosen.values() for i in indices})
  by_folder = splits.by_folder(photos.names, photos.digests) is not None
  copies = len(photos.digests) - len({*photos.digests})
  return dataclasses.replace(
    known,
    split=known.split or _split_sentence(options, by_folder=by_folder),
    by_regions=options.split_by == "regions" and not by_folder,
    images={split: len(indices) for split, indices in chosen.items()},
    classes={split: count_classes(photos, x) for split, x in chosen.items()},
    sizes=extremes([photos.sizes[i] for i in every]),
    unlabelled=sum(photos.labels[i] < 0 for i in every if len(photos.labels)),
    skipped=_skipped(photos, too_small),
    duplicates=known.duplicates or copies,
  )


def count_classes(photos: Photos, used: Sequence[int]) -> dict[str, int]:
  """The number of images of each class among those used."""
  if not photos.label_names:
    return {}
  labels = np.asarray(photos.labels, np.int32)[list(used)]
  counts = np.bincount(labels[labels >= 0], minlength=len(photos.label_names))
  return dict(zip(photos.label_names, counts.tolist(), strict=True))


def extremes(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
  """The smallest and the largest of sizes, by their number of pixels."""
  ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
  return [ordered[0], ordered[-1]] if ordered else []


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


def _skipped(
  photos: Photos, too_small: Collection[int]
) -> dict[str, Sequence[str]]:
  """The names of what is not used, by reason: those of the reader, its
  problems, and photographs that are too small."""
  known = photos.findings.skipped
  listed = {name for names in known.values() for name in names}
  found: dict[str, list[str]] = collections.defaultdict(list)
  for problem in photos.problems:
    name, _, reason = problem.partition(": ")
    if name not in listed:
      found[_kind(reason)].append(name)
  small = [photos.names[photo] for photo in sorted(too_small)]
  small = [name for name in small if name not in listed]
  extra = {TOO_SMALL: small} if small else {}
  return {**known, **found, **extra}


def _kind(reason: str) -> str:
  """A reason without numbers and names of files, the same for many images."""
  return re.sub(r"\S*(\d|\.\w)\S*", "*", reason)[:MAX_REASON]
