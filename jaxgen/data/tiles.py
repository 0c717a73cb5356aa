"""Tiles cut out of photographs: what textures, folders and arrays share.

A source of photographs describes them (`Photos`), `cut` decides which part of
which photograph belongs to the split, and `TileSource` reads the tiles:

- training with `crop="random"`: tile i belongs to a place on a grid with a
  quarter of the tile's side as its step, so that large photographs give more
  tiles; the place fixes the photograph, the generator the position in it.
- `crop="tiled"`, and validation always: a grid of tiles side by side.
- `crop="whole"`: one tile for each photograph, its middle square.
"""

from __future__ import annotations

import bisect
import dataclasses
import hashlib
import itertools
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import cache, splits
from jaxgen.data.resize import (
  centre_square,
  resize,
  resize_labels,
  to_channels,
)
from jaxgen.data.source import Element
from jaxgen.errors import UserError
from jaxgen.formats import image_files

Photo = tuple[np.ndarray, ...]  # (h, w, c) and, with masks, (h, w)
_STEPS_PER_TILE = 4  # of the training grid: an epoch sees a pixel 16 times


@dataclasses.dataclass(frozen=True, kw_only=True)
class Photos:
  """Photographs and what is known of them before any is read again.

  Attributes:
    names: for messages, and folders in them may give the split.
    sizes: height and width of each.
    digests: of each one's content.
    load: decodes photograph i; picklable, thread-safe.
    in_memory: whether `load` is so cheap that nothing is gained by a cache.
    labels: int32 for each, empty without labels.
    label_names: what they index.
    finish: applied to each tile before it is resized; None: nothing.
    problems: "name: reason" for each file left out of all of the above.
    extra: whatever else makes the data what they are, for the fingerprint.
  """

  names: Sequence[str]
  sizes: Sequence[tuple[int, int]]
  digests: Sequence[str]
  load: Callable[[int], Photo]
  in_memory: bool = False
  labels: Sequence[int] | np.ndarray = ()
  label_names: tuple[str, ...] = ()
  finish: Callable[[np.ndarray], np.ndarray] | None = None
  problems: Sequence[str] = ()
  extra: str = ""

  def fingerprint(self) -> str:
    """A digest over names, contents and labels."""
    parts = (*self.names, *self.digests, *map(str, self.labels))
    text = "\n".join((*parts, *self.label_names, self.extra))
    return hashlib.blake2b(
      text.encode(errors="surrogateescape"), digest_size=16
    ).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Region:
  """The part of a photograph that tiles are cut from, and their side."""

  photo: int
  box: splits.Box
  size: int
  step: int

  @property
  def grid(self) -> tuple[int, int]:
    """Rows and columns of tile places `step` apart."""
    return (
      (self.box.height - self.size) // self.step + 1,
      (self.box.width - self.size) // self.step + 1,
    )


@dataclasses.dataclass(eq=False, kw_only=True)
class TileSource:
  """A `Source` of tiles cut out of photographs; picklable."""

  regions: tuple[Region, ...]
  starts: tuple[int, ...]  # the first tile of each region
  num_tiles: int
  load: Callable[[int], Photo]
  finish: Callable[[np.ndarray], np.ndarray] | None
  resolution: int
  channels: int
  random: bool
  labels: np.ndarray  # int32 for each photograph; empty: none
  label_names: tuple[str, ...]
  attribute_names: dict[str, tuple[str, ...]]
  fingerprint: str

  def __len__(self) -> int:
    return self.num_tiles

  def read(self, index: int, rng: np.random.Generator | None = None) -> Element:
    """As `Source.read`; the generator is used by random crops only."""
    if not 0 <= index < self.num_tiles:
      raise IndexError(f"tile {index} of {self.num_tiles}")
    number = bisect.bisect_right(self.starts, index) - 1
    region = self.regions[number]
    top, left = self._place(region, index - self.starts[number], rng)
    rows = slice(top, top + region.size)
    columns = slice(left, left + region.size)
    image, *mask = self.load(region.photo)
    element = {"image": self._finish(image[rows, columns])}
    if mask:
      labels = resize_labels(mask[0][rows, columns], self.resolution)
      element["mask"] = labels.astype(np.int32)
    if len(self.labels):
      element["label"] = np.array(self.labels[region.photo])
    return element

  def _place(
    self, region: Region, place: int, rng: np.random.Generator | None
  ) -> tuple[int, int]:
    box, size = region.box, region.size
    if self.random and rng is not None:
      top = int(rng.integers(box.height - size + 1))
      left = int(rng.integers(box.width - size + 1))
    else:
      row, column = divmod(place, region.grid[1])
      top, left = row * region.step, column * region.step
    return box.top + top, box.left + left

  def _finish(self, crop: np.ndarray) -> np.ndarray:
    crop = crop.copy() if self.finish is None else self.finish(crop)
    return to_channels(resize(crop, self.resolution), self.channels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cached:
  """Loads photographs through the cache of the process; `square` keeps only
  the middle square at that resolution."""

  load: Callable[[int], Photo]
  cache: cache.ImageCache
  key: str
  square: int = 0
  finish: Callable[[np.ndarray], np.ndarray] | None = None

  def __call__(self, photo: int) -> Photo:
    return self.cache.get((self.key, photo), lambda: self._load(photo))

  def _load(self, photo: int) -> Photo:
    image, *mask = self.load(photo)
    if not self.square:
      return (image, *mask)
    square = centre_square(image)
    square = square.copy() if self.finish is None else self.finish(square)
    return (
      resize(square, self.square),
      *(resize_labels(centre_square(x), self.square) for x in mask),
    )


def cut(
  photos: Photos, options: DataConfig, split: Split, resolution: int
) -> TileSource:
  """The tiles of one split.

  Reads `channels, crop, crop_size, upsample, split_by, validation_fraction,
  on_bad, cache_mb` of the options.

  Raises:
    UserError: unusable photographs (all by name), no photograph, nothing left
      for a split, or options that do not go together.
  """
  _check_options(options)
  whole = options.crop == "whole"
  size = resolution if whole else options.crop_size or resolution
  small = _report_bad(photos, options, size)
  boxes = _boxes(photos, options, split, size)
  random = split == "train" and options.crop == "random"
  regions = tuple(
    _region(photo, box, size=size, whole=whole, random=random)
    for photo, box in boxes
    if photo not in small
  )
  if not regions:
    raise UserError(
      f"no {split} tiles of {size} pixels: lower data.crop_size or the"
      " resolution, set data.upsample=True or add photographs"
    )
  counts = [rows * columns for rows, columns in (r.grid for r in regions)]
  fingerprint = photos.fingerprint()
  return TileSource(
    regions=regions,
    starts=tuple(itertools.accumulate(counts, initial=0))[:-1],
    num_tiles=sum(counts),
    load=_loader(photos, options, resolution if whole else 0, fingerprint),
    finish=None if whole else photos.finish,
    resolution=resolution,
    channels=options.channels,
    random=random,
    labels=np.asarray(photos.labels, np.int32),
    label_names=tuple(photos.label_names),
    attribute_names={},
    fingerprint=fingerprint,
  )


def _check_options(options: DataConfig) -> None:
  if options.crop == "whole" and options.split_by == "regions":
    raise UserError(
      "data.crop=whole does not go with data.split_by=regions (a whole image"
      " has no part to hold out): use split_by=files or another crop"
    )


def _boxes(
  photos: Photos, options: DataConfig, split: Split, size: int
) -> list[tuple[int, splits.Box]]:
  """Which part of which photograph is the split's, before sizes are looked at:
  so that a photograph is on the same side at every resolution."""
  if not photos.names:
    return []
  given = splits.by_folder(photos.names, photos.digests)
  if given is None and options.split_by == "regions":
    return _strips(photos, options, split, size)
  if given is None:
    given = splits.by_digest(photos.digests, options.validation_fraction)
  return [(i, splits.Box(0, 0, *photos.sizes[i])) for i in given[split]]


def _strips(
  photos: Photos, options: DataConfig, split: Split, size: int
) -> list[tuple[int, splits.Box]]:
  boxes = []
  for photo in splits.unique(photos.digests):
    height, width = photos.sizes[photo]
    side = min(size, height, width, max(height, width) // 2)
    box = splits.by_region(
      height,
      width,
      split=split,
      fraction=options.validation_fraction,
      size=side if options.upsample else size,
    )
    if box is not None:
      boxes.append((photo, box))
  return boxes


def _report_bad(photos: Photos, options: DataConfig, size: int) -> set[int]:
  """Refuses what is unreadable (found before) or too small, or warns of it and
  returns the photographs that are too small."""
  small = {
    photo
    for photo, sides in enumerate(photos.sizes)
    if min(sides) < size and not options.upsample
  }
  problems = list(photos.problems)
  for photo in sorted(small):
    height, width = photos.sizes[photo]
    name = photos.names[photo]
    problems.append(
      f"{name}: {width} x {height} pixels, a tile has {size} x {size}"
    )
  if problems and options.on_bad == "error":
    raise image_files.report_bad(
      problems,
      "Remove them, or set data.on_bad=skip to go on without them"
      + (" or data.upsample=True to enlarge the small." if small else "."),
    )
  if problems:
    shown = "; ".join(problems[:10])
    warnings.warn(f"left out {len(problems)} images: {shown}", stacklevel=4)
  return small


def _region(
  photo: int, box: splits.Box, *, size: int, whole: bool, random: bool
) -> Region:
  if whole:
    square = splits.Box(0, 0, size, size)
    return Region(photo=photo, box=square, size=size, step=size)
  size = min(size, box.height, box.width)
  step = max(size // _STEPS_PER_TILE, 1) if random else size
  return Region(photo=photo, box=box, size=size, step=step)


def _loader(
  photos: Photos, options: DataConfig, square: int, fingerprint: str
) -> Callable[[int], Photo]:
  if photos.in_memory and not square:
    return photos.load
  return Cached(
    load=photos.load,
    cache=cache.shared(options.cache_mb << 20),
    key=f"{fingerprint} {options.channels} {square}",
    square=square,
    finish=photos.finish,
  )
