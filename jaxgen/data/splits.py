"""Disjoint training and validation splits, and class labels."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxgen.config.data import Split
from jaxgen.data import folder_names
from jaxgen.errors import UserError


class Box(NamedTuple):
  """A rectangle of pixels."""

  top: int
  left: int
  height: int
  width: int


def unique(digests: Sequence[str]) -> list[int]:
  """The index of the first item of each set of identical ones."""
  first: dict[str, int] = {}
  for index, digest in enumerate(digests):
    first.setdefault(digest, index)
  return list(first.values())


def by_digest(
  digests: Sequence[str], fraction: float, *, files: Sequence[int] = ()
) -> dict[Split, list[int]]:
  """Split items by their content, without duplicates.

  The order of digests is effectively random, depends on neither names nor
  seeds, and hardly changes when items are added.

  Args:
    digests: hash of the content of each item.
    fraction: fraction of the items that is held out.
    files: the file of each item; a file is in one split, unless all items are
      of one file. Empty: each item has its own.

  Returns:
    Indices in ascending order; validation has `round(fraction * n)`, less if
    files do not add up to that, at least one file, and training at least one.

  Raises:
    UserError: fewer than two distinct items.
  """
  distinct = sorted(unique(digests), key=lambda index: digests[index])
  if len(distinct) < 2:
    raise UserError(
      "data.split_by=files: expected at least 2 distinct images, got"
      f" {len(distinct)}: set data.split_by=regions or add images"
    )
  count = min(max(round(fraction * len(distinct)), 1), len(distinct) - 1)
  held: set[int] = set()
  members = _by_file(distinct, digests, files)
  for file in members:
    held |= {*file} if len(held) + len(file) <= count else set()
  held = held or {*min(members, key=len)}
  return {
    "validation": sorted(held),
    "train": [i for i in sorted(distinct) if i not in held],
  }


def _by_file(
  items: Sequence[int], digests: Sequence[str], files: Sequence[int]
) -> list[list[int]]:
  """The items of each file, in an effectively random order that depends on
  their content; each item for itself if all are of one file."""
  if len({files[i] for i in items} if files else items) == 1 or not files:
    return [[i] for i in items]
  members: dict[int, list[int]] = {}
  for i in items:
    members.setdefault(files[i], []).append(i)
  return sorted(members.values(), key=lambda x: _digest(digests[i] for i in x))


def _digest(digests: Iterable[str]) -> str:
  """The digest of one item, or a hash of those of several."""
  first, *others = sorted(digests)
  text = " ".join((first, *others)).encode()
  return hashlib.blake2b(text, digest_size=16).hexdigest() if others else first


def by_folder(
  names: Sequence[str], digests: Sequence[str]
) -> dict[Split, list[int]] | None:
  """Split items by the folders in their names, see `folder_names`.

  The folders of validation are held out, without them those of test. Items in
  other folders are not used. Duplicates are dropped, from the training split if
  the item is also held out.

  Returns:
    Indices in ascending order, or None if there are no such folders.
  """
  places = folder_names.places(names)
  if not any(place.paired for place in places):
    return None
  kinds = [place.kind for place in places]
  held_out = "validation" if "validation" in kinds else "test"
  held = [i for i, kind in enumerate(kinds) if kind == held_out]
  seen = {digests[i] for i in held}
  train = [i for i, kind in enumerate(kinds) if kind == "train"]
  return {
    "validation": _distinct(held, digests),
    "train": _distinct([i for i in train if digests[i] not in seen], digests),
  }


def by_region(
  height: int, width: int, *, split: Split, fraction: float, size: int
) -> Box | None:
  """Cut a photograph across its longer side; the end is for validation.

  That strip is `fraction` of the longer side but at least one tile, so that it
  is the same for all smaller tiles. (Stages with larger tiles widen it, unless
  `crop_size` or a larger fraction is set.)

  Args:
    height, width: size of the photograph in pixels.
    split: the split whose part is returned.
    fraction: fraction of the photograph that is held out.
    size: side of a tile in pixels.

  Returns:
    The part of the split. A photograph too small to be cut belongs to training;
    its validation part is None.
  """
  longer = max(height, width)
  strip = max(round(fraction * longer), size)
  if longer - strip < size:
    return Box(0, 0, height, width) if split == "train" else None
  start, length = (
    (0, longer - strip) if split == "train" else (longer - strip, strip)
  )
  if height >= width:
    return Box(start, 0, length, width)
  return Box(0, start, height, length)


def class_labels(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
  """Class labels from subfolders: `[train/]CLASS/.../name`, see
  `folder_names`.

  Args:
    names: paths relative to the data set's folder, with `/`.

  Returns:
    The sorted class names (empty if no item is in a subfolder), and the int32
    class index of each item, -1 outside of all.
  """
  return index_labels([place.label for place in folder_names.places(names)])


def index_labels(
  values: Sequence[str | None],
) -> tuple[tuple[str, ...], np.ndarray]:
  """Class names (sorted, as numbers if all are; in the Unicode form NFC) and
  int32 indices of values; None and the empty string are missing: -1."""
  values = [unicodedata.normalize("NFC", value or "") for value in values]
  present = {value for value in values if value}
  numeric = all(value.isdecimal() for value in present)
  classes = sorted(present, key=int if numeric else str)
  index = {name: i for i, name in enumerate(classes)}
  labels = [index[value] if value else -1 for value in values]
  return tuple(classes), np.array(labels, np.int32)


def number_labels(
  labels: np.ndarray,
) -> tuple[tuple[str, ...], np.ndarray]:
  """Class names in numerical order and int32 indices of integer labels;
  negative labels are missing: -1."""
  present, indices = np.unique(labels, return_inverse=True)
  missing = int((present < 0).sum())
  names = tuple(str(x) for x in present[missing:])
  return names, np.maximum(indices.reshape(-1) - missing, -1).astype(np.int32)


def _distinct(indices: list[int], digests: Sequence[str]) -> list[int]:
  return [indices[i] for i in unique([digests[j] for j in indices])]
