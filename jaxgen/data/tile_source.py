"""Tiles cut from photographs, read one by one or a batch at once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from jaxgen.data import splits
from jaxgen.data.degraded import LOW
from jaxgen.data.findings import Findings
from jaxgen.data.photos import Photo, resize_partner
from jaxgen.data.resize import resize, to_channels
from jaxgen.data.source import Element
from jaxgen.data.streams import Streams


@dataclasses.dataclass(frozen=True, kw_only=True)
class Region:
  """A part of a photograph and its grid of tiles."""

  photo: int
  box: splits.Box
  size: int
  step: int

  @property
  def grid(self) -> tuple[int, int]:
    """Rows and columns of the grid of tiles."""
    return (
      (self.box.height - self.size) // self.step + 1,
      (self.box.width - self.size) // self.step + 1,
    )


@dataclasses.dataclass(eq=False, kw_only=True)
class TileSource:
  """A `Source` of tiles cut from photographs; picklable."""

  regions: tuple[Region, ...]
  starts: tuple[int, ...]  # index of the first tile of each region
  num_tiles: int
  load: Callable[[int], Photo]
  stack: Callable[[], np.ndarray] | None  # all photographs (n, h, w, c)
  finish: Callable[[np.ndarray], np.ndarray] | None
  resolution: int
  channels: int
  random: bool
  labels: np.ndarray  # int32 per photograph; empty: none
  label_names: tuple[str, ...]
  attribute_names: dict[str, tuple[str, ...]]
  fingerprint: str
  findings: Findings = Findings()
  factor: int = 0  # of small images that are given; 0: there are none

  def __len__(self) -> int:
    return self.num_tiles

  def read(self, index: int, rng: Streams | None = None) -> Element:
    """Tile `index`; see `Source.read`. Only random crops use `rng`."""
    batch = self.read_batch(np.array([index]), rng)
    return {name: x[0, ...] for name, x in batch.items()}

  def read_batch(
    self, indices: np.ndarray, rng: Streams | None = None
  ) -> Element:
    """The tiles `indices`; see `BatchSource.read_batch`."""
    if not ((indices >= 0) & (indices < self.num_tiles)).all():
      raise IndexError(f"tiles {indices} of {self.num_tiles}")
    numbers = self._regions_of(indices)
    regions, places = self._table[numbers], indices - self._starts[numbers]
    photos, sizes = regions[:, 0], regions[:, 5]
    tops, lefts = self._corners(regions, places, rng)
    if self.stack is not None and (sizes == sizes[0]).all():
      crops = _gather(self.stack(), sizes[0], (photos, tops, lefts))
      element = {"image": self._finish(crops)}
    else:
      element = self._read_crops(zip(photos, tops, lefts, sizes, strict=True))
    if len(self.labels):
      element["label"] = self.labels[photos]
    return element

  def tile_labels(self) -> np.ndarray:
    """The class of each tile, see `order.LabeledTiles`; empty: none."""
    if not len(self.labels):
      return self.labels
    counts = np.diff([*self.starts, self.num_tiles])
    return np.repeat(self.labels[self._table[:, 0]], counts)

  def photos_of(self, indices: np.ndarray) -> np.ndarray:
    """The number of the photograph of each tile."""
    return self._table[self._regions_of(indices)][:, 0]

  def _regions_of(self, indices: np.ndarray) -> np.ndarray:
    return np.searchsorted(self._starts, indices, side="right") - 1

  @functools.cached_property
  def _starts(self) -> np.ndarray:
    return np.array(self.starts)

  @functools.cached_property
  def _table(self) -> np.ndarray:
    """The numbers of each region: photograph, box, size and step."""
    return np.array([(r.photo, *r.box, r.size, r.step) for r in self.regions])

  def _corners(
    self, regions: np.ndarray, places: np.ndarray, rng: Streams | None
  ) -> tuple[np.ndarray, np.ndarray]:
    """The top left pixel of each tile."""
    _, top, left, height, width, size, step = regions.T
    if self.random and rng is not None:
      grid = self.factor or 1  # of pixels at which a small one begins
      rows = grid * rng.integers((height - size) // grid + 1)
      columns = grid * rng.integers((width - size) // grid + 1)
    else:
      rows, columns = np.divmod(places, (width - size) // step + 1) * step
    return top + rows, left + columns

  def _read_crops(self, places: Iterable[Sequence[int]]) -> Element:
    """Images, masks, hints and small images of tiles at (photograph, top, left,
    size)."""
    images, partners = [], []
    for photo, top, left, size in places:
      image, *others = self.load(int(photo))
      rows, columns = slice(top, top + size), slice(left, left + size)
      images.append(image[rows, columns])
      if self.factor:
        rows, columns = (
          slice(x.start // self.factor, x.stop // self.factor)
          for x in (rows, columns)
        )
        partners += [x[rows, columns] for x in others]
        continue
      partners += [
        resize_partner(x[rows, columns], self.resolution) for x in others
      ]
    if len({x.shape for x in images}) == 1:
      element = {"image": self._finish(np.stack(images))}
    else:
      tiles = [self._finish(x[None].copy()) for x in images]
      element = {"image": np.concatenate(tiles)}
    masks, hints = ([x for x in partners if x.ndim == ndim] for ndim in (2, 3))
    if masks:
      element["mask"] = np.stack(masks).astype(np.int32)
    if hints:
      element[LOW if self.factor else "hint"] = np.stack(hints)
    return element

  def _finish(self, crops: np.ndarray) -> np.ndarray:
    """Tiles (b, side, side, channels) of crops (b, h, w, c) of one shape."""
    crops = crops if self.finish is None else self.finish(crops)
    if crops.shape[1] != self.resolution:
      crops = np.stack([resize(crop, self.resolution) for crop in crops])
    return to_channels(crops, self.channels)


def _gather(
  stack: np.ndarray, size: int, place: tuple[np.ndarray, ...]
) -> np.ndarray:
  """The crops at (photographs, tops, lefts) of an array of photographs."""
  windows = sliding_window_view(stack, (size, size), axis=(1, 2))  # pyright: ignore
  return np.ascontiguousarray(np.moveaxis(windows[place], 1, -1))
