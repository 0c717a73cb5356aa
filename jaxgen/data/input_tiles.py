"""Input images as tiles at the scale that a run was trained at.

An image is covered by windows of a tile's size after it was scaled as training
crops were, or its center square is resized to a single tile.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import resize
from jaxgen.data.input_images import InputImage
from jaxgen.formats.problems import report_bad
from jaxgen.windows import WindowGrid, window_grid

Cutting = Literal["tiled", "fit"]
Size = tuple[int, int]
OVERLAP = 4  # windows overlap by at least a tile's side divided by this


@dataclasses.dataclass(frozen=True, kw_only=True)
class TiledImage:
  """An input image and the windows that cover it.

  Attributes:
    image: the image.
    grid: the windows on the scaled image.
    fit: whether it is the center square.
  """

  image: InputImage
  grid: WindowGrid
  fit: bool = False

  @property
  def is_tile(self) -> bool:
    """Whether the image is a single tile as it is."""
    return self.image.size == (self.grid.side, self.grid.side)

  def read(self) -> np.ndarray:
    """The scaled image (height, width, c) that the windows are cut from."""
    pixels = self.image.read()
    pixels = resize.center_square(pixels) if self.fit else pixels
    pixels = np.ascontiguousarray(pixels)
    return resize.resize_to(pixels, self.grid.height, self.grid.width)

  def windows(self) -> Iterator[np.ndarray]:
    """The tiles."""
    return self.grid.cut(self.read())

  def restore(self, image: np.ndarray) -> np.ndarray:
    """A scaled image at the size of the original; that of a center square
    stays a tile."""
    return image if self.fit else resize.resize_to(image, *self.image.size)


def default_cutting(options: DataConfig) -> Cutting:
  """How images are cut that are larger than a tile: as in training."""
  return "fit" if options.crop == "whole" else "tiled"


def cut_images(
  images: Sequence[InputImage],
  options: DataConfig,
  *,
  side: int,
  cutting: Cutting,
  upsample: bool = False,
  overlap: int | None = None,
) -> list[TiledImage]:
  """The tiles of images.

  Args:
    images: the images.
    options: how training tiles were cut.
    side: side of a tile in pixels.
    cutting: `tiled`, or `fit` for the center square as one tile.
    upsample: allow images smaller than a tile.
    overlap: minimum overlap of windows in pixels, by default a quarter of a
      tile.

  Raises:
    UserError: images smaller than a tile.
  """
  tiled = cutting == "tiled"
  size = options.crop_size * tiled * (options.crop != "whole") or side
  small = [x for x in images if min(x.size) < size]
  if small and not upsample:
    raise report_bad(
      [
        f"{x.name}: smaller than {size} x {size} pixels"
        f" ({x.size[1]} x {x.size[0]})"
        for x in small
      ],
      "--upsample allows them.",
    )
  overlap = side // OVERLAP if overlap is None else overlap
  scaled = [
    _scaled(image.size, side / size, side) if tiled else (side, side)
    for image in images
  ]
  return [
    TiledImage(
      image=image,
      grid=window_grid(*shape, side=side, overlap=overlap),
      fit=not tiled,
    )
    for image, shape in zip(images, scaled, strict=True)
  ]


def _scaled(size: Size, scale: float, least: int) -> Size:
  """The size of a scaled image, its shorter side at least `least` pixels."""
  scale = max(scale, least / min(size))
  return round(size[0] * scale), round(size[1] * scale)


def describe(tiles: Sequence[TiledImage], *, most: int = 5) -> list[str]:
  """Lines that say how images were cut, of the first ones and of all."""
  cut = [x for x in tiles if not x.is_tile]
  lines = [_description(x) for x in cut[:most]]
  others = cut[most:]
  if others:
    windows = sum(len(x.grid) for x in others)
    lines.append(f"... and {len(others):,} more images: {windows:,} windows")
  if whole := len(tiles) - len(cut):
    side = tiles[0].grid.side
    lines.append(f"{whole:,} images of one tile, {side} x {side}")
  return lines


def _description(tiles: TiledImage) -> str:
  height, width = tiles.image.size
  grid = tiles.grid
  said = f"{tiles.image.name} {width:,} x {height:,}: "
  if tiles.fit:
    square = "" if height == width else "its center square "
    return said + f"{square}resized to one tile of {grid.side} x {grid.side}"
  if (grid.height, grid.width) != (height, width):
    said += f"scaled to {grid.width:,} x {grid.height:,}, "
  count = f"{len(grid):,} windows" if len(grid) > 1 else "one window"
  said += f"{count} of {grid.side} x {grid.side}"
  overlap = grid.least_overlap
  return said + (f", overlapping by at least {overlap}" if overlap else "")
