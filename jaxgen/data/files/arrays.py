"""Images in `.npy`, `.npz` and `.pt` files, or in a folder of them.

An array has n photographs, (n, h, w), (n, h, w, c) or (n, c, h, w), or a single
one, (h, w), (h, w, c) or, in a `.pt`, (c, h, w): see `array_shapes`. Which
array of a file has the images: see `array_names`. Arrays are cut into tiles
like photographs. `uint8` and `uint16` are unchanged without a `value_range`;
other types, and all with it, are mapped from it to [-1, 1] and clipped. `.npy`
files are memory-mapped.

In a folder, each file has one image or more. Subfolders define the class
(`[prior_clean/]DOMAIN/[train/]NAME.pt`) and, by names such as `train` and
`validation` side by side, the split.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import photos, splits, tiles
from jaxgen.data.files import array_labels, array_photos, values
from jaxgen.data.files.array_listing import (
  Listing,
  Part,
  list_arrays,
  only_file,
)
from jaxgen.data.files.array_photos import ArrayPhotos, Checked
from jaxgen.data.files.named_arrays import is_torch, open_array
from jaxgen.data.files.values import Values
from jaxgen.data.findings import Findings
from jaxgen.data.source import Source
from jaxgen.errors import UserError

Labels = tuple[tuple[str, ...], np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Image:
  """An image, with its place and what its check has found."""

  name: str
  part: int
  row: int
  found: Values | str


def arrays(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of arrays in `path`: an `.npy`, `.npz` or `.pt` file, or a folder of
  such files; no code is executed from them.

  All values are checked once at the start. An array of labels in the same file
  (integers, with -1 or NaN where one is missing, or strings) defines the
  classes; without it, the folders do.

  Options used: `path, key, value_range, channels, crop, crop_size, upsample,
  split_by, validation_fraction, on_bad, cache_mb`.

  Raises:
    UserError: no such file, no array that is clearly the images, non-finite
      values, or values outside `value_range`.
  """
  described = _describe(options)
  return tiles.cut(described, options, split=split, resolution=resolution)


def _describe(options: DataConfig) -> photos.Photos:
  listing = list_arrays(options)
  checked, problems = _check(listing, options)
  images = _images(checked)
  good = [i for i, image in enumerate(images) if not _reason(image, options)]
  used = [images[i] for i in good]
  summaries = [x.found for x in used if isinstance(x.found, Values)]
  _check_types(options.path, summaries)
  label_names, labels = _labels(checked, images, options)
  load = ArrayPhotos(
    files=tuple(part.file for part, _ in checked),
    places=np.array([(x.part, x.row) for x in used], np.int32).reshape(-1, 2),
    channels=options.channels,
  )
  in_memory = len(good) == len(images) and _can_stack(checked, options)
  return photos.Photos(
    names=[image.name for image in used],
    sizes=[checked[image.part][1].size for image in used],
    digests=[x.digest for x in summaries],
    load=load,
    stack=load.stack if in_memory else None,
    labels=labels[good] if label_names else (),
    label_names=label_names,
    finish=functools.partial(
      values.to_model_range, value_range=options.value_range
    ),
    files=[image.part for image in used] if len(listing.parts) > 1 else (),
    problems=problems
    + [f"{x.name}: {why}" for x in images if (why := _reason(x, options))],
    extra=_extra(checked, options),
    findings=_findings(listing, checked, summaries, options=options),
  )


def _check(
  listing: Listing, options: DataConfig
) -> tuple[list[tuple[Part, Checked]], list[str]]:
  """The usable arrays, and "name: reason" for the others of a folder.

  Raises:
    UserError: the array of a single file cannot be used, or most images are
      outside the value range.
  """
  checked, problems = [], list(listing.problems)
  for part in listing.parts:
    found = array_photos.check_array(part.file, options)
    if isinstance(found, Checked):
      checked.append((part, found))
    elif _in_folder(options):
      problems.append(f"{part.name}: {found}")
    else:
      name = f"{options.path} {part.file.key}".strip()
      raise only_file(f"{name}: {found}", options)
  summaries = [
    x for _, found in checked for x in found.images if isinstance(x, Values)
  ]
  values.check_range(options.path, summaries, options.value_range)
  return checked, problems


def _images(checked: Sequence[tuple[Part, Checked]]) -> list[_Image]:
  """All images of some arrays, usable or not."""
  return [
    _Image(
      name=part.image_name(row, len(found.images)),
      part=i,
      row=row,
      found=image,
    )
    for i, (part, found) in enumerate(checked)
    for row, image in enumerate(found.images)
  ]


def _reason(image: _Image, options: DataConfig) -> str:
  """Why an image cannot be used; empty: it can."""
  if isinstance(image.found, str):
    return image.found
  return values.outlier(image.found, options.value_range)


def _check_types(path: str, summaries: Sequence[Values]) -> None:
  kinds = sorted({x.kind for x in summaries})
  if len(kinds) > 1:
    raise UserError(
      f"{path}: expected images of one type, got {', '.join(kinds)}"
    )


def _labels(
  checked: Sequence[tuple[Part, Checked]],
  images: Sequence[_Image],
  options: DataConfig,
) -> Labels:
  """The labels of all images: from arrays, else from folders."""
  try:
    label_names, labels = array_labels.class_labels(
      [part.labels and open_array(part.labels) for part, _ in checked],
      [len(found.images) for _, found in checked],
    )
  except ValueError as error:
    raise UserError(f"{options.path}: {error}") from error
  if label_names or not _in_folder(options):
    return label_names, labels
  return splits.class_labels([image.name for image in images])


def _can_stack(
  checked: Sequence[tuple[Part, Checked]], options: DataConfig
) -> bool:
  found = [x for _, x in checked]
  return not _in_folder(options) and array_photos.can_stack(found)


def _extra(checked: Sequence[tuple[Part, Checked]], options: DataConfig) -> str:
  """What else the tiles depend on, for the fingerprint."""
  keys = " ".join(part.file.key for part, _ in checked)
  named = _in_folder(options) or is_torch(options.path)
  key = options.key if named else keys
  return f"{key} {options.value_range or (0.0, 1.0)}"


def _findings(
  listing: Listing,
  checked: Sequence[tuple[Part, Checked]],
  summaries: Sequence[Values],
  *,
  options: DataConfig,
) -> Findings:
  notes = [f"{part.file.path}: {x.note}" for part, x in checked if x.note]
  shown = notes[:5] + [f"... and {len(notes) - 5:,} more"] * (len(notes) > 5)
  found = Findings(
    split=_split_sentence([part for part, _ in checked]),
    skipped=listing.skipped,
    warnings=shown,
  )
  if not summaries:
    return found
  dtype = summaries[0].dtype
  seen = min(x.low for x in summaries), max(x.high for x in summaries)
  doubts = values.doubts(options.path, dtype, seen, options.value_range)
  return dataclasses.replace(
    found,
    bits=values.num_bits(dtype),
    stored_channels=sorted({x.channels for x in summaries}),
    value_seen=seen,
    warnings=[*shown, *doubts],
  )


def _split_sentence(parts: Sequence[Part]) -> str:
  """How named arrays divide the images; empty: they do not."""
  names = {part.name: part.file.key for part in parts if part.numbered}
  if len(names) < 2:
    return ""
  return (
    f"by the names of arrays: {names['train/']} is trained on,"
    f" {names['validation/']} is held out"
  )


def _in_folder(options: DataConfig) -> bool:
  return pathlib.Path(options.path).is_dir()
