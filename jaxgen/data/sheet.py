"""A sheet of tiles as the model sees them, for people."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.source import Element, Source
from jaxgen.images import as_uint8

COLUMNS, ROWS = 12, 3  # of training tiles
GAP = 6  # pixels between tiles
LEAST, MOST = 64, 160  # side of a shown tile in pixels
_TEXT, _HEAD = 11, 14  # size of labels and of headings
_GROUND = 215  # gray between tiles
_COLORS = np.array(  # of the labels of masks; later ones repeat
  [
    (40, 40, 40),
    (230, 160, 0),
    (85, 180, 235),
    (0, 160, 115),
    (240, 230, 65),
    (0, 115, 180),
    (215, 95, 0),
    (205, 120, 170),
  ],
  np.uint8,
)


def draw(train: Source, validation: Source, options: DataConfig) -> np.ndarray:
  """The first training tiles, with their augmentation, and some held-out ones,
  each with its class and mask; uint8 (h, w, 3)."""
  first = _first_tiles(train, options, COLUMNS * ROWS)
  held_out = pipeline.stack(pipeline.fixed_tiles(validation, COLUMNS))
  side, num = first["image"].shape[1], len(held_out["image"])
  masks = ", each above its mask" if "mask" in first else ""
  return np.concatenate(
    [
      *_section(
        f"trained on: the first {COLUMNS * ROWS} tiles, {side} x {side} pixels"
        + masks,
        _cells(first, train.label_names),
      ),
      *_section(f"held out: {num} tiles", _cells(held_out, train.label_names)),
    ]
  )


def _first_tiles(source: Source, options: DataConfig, num: int) -> Element:
  """The tiles that training starts with."""
  alone = dataclasses.replace(options, threads=0, workers=0)
  stream = ("train", 0)  # that of the first stage
  batches = pipeline.batches(source, alone, batch_size=num, stream=stream)
  with contextlib.closing(batches):
    return next(batches)


def _section(title: str, cells: Sequence[np.ndarray]) -> list[np.ndarray]:
  """A heading and rows of cells, of one width."""
  missing = -len(cells) % COLUMNS
  full = [*cells, *[np.full_like(cells[0], _GROUND)] * missing]
  padding = ((GAP, 0), (GAP, 0), (0, 0))
  padded = [np.pad(cell, padding, constant_values=_GROUND) for cell in full]
  rows = [
    np.concatenate(padded[i : i + COLUMNS], axis=1)
    for i in range(0, len(padded), COLUMNS)
  ]
  return [_text(title, rows[0].shape[1], _HEAD), *rows]


def _cells(tiles: Element, label_names: Sequence[str]) -> list[np.ndarray]:
  """Each tile, its mask and its class, one below the other."""
  columns = [_enlarged(_as_rgb(tiles["image"]))]
  if "mask" in tiles:
    columns.append(_enlarged(_COLORS[tiles["mask"] % len(_COLORS)]))
  captions = _captions(tiles, label_names)
  if captions:
    width = columns[0].shape[2]
    columns.append(np.stack([_text(x, width, _TEXT) for x in captions]))
  return [np.concatenate(parts) for parts in zip(*columns, strict=True)]


def _as_rgb(images: np.ndarray) -> np.ndarray:
  """uint8 (n, h, w, 3); of other channels than 1 and 3, the first as gray."""
  images = as_uint8(images)
  images = images if images.shape[-1] == 3 else images[..., :1]
  return np.broadcast_to(images, (*images.shape[:3], 3))


def _enlarged(images: np.ndarray) -> np.ndarray:
  """Images at a size that can be seen: enlarged by an integer, or reduced."""
  side = images.shape[1]
  if side > MOST:
    small = [Image.fromarray(x).resize((MOST, MOST)) for x in images]
    return np.stack([np.asarray(x) for x in small])
  zoom = -(-LEAST // side)
  return images.repeat(zoom, 1).repeat(zoom, 2)


def _captions(tiles: Element, label_names: Sequence[str]) -> list[str]:
  """The class of each tile; none if there are no classes."""
  if "label" not in tiles or not label_names:
    return []
  names = [*map(str, label_names), "(no label)"]  # label -1 is the last
  return [names[label] for label in tiles["label"].reshape(-1).tolist()]


def _text(text: str, width: int, size: int) -> np.ndarray:
  """A line of text, cut at a width in pixels."""
  image = Image.new("RGB", (width, size + 6), (_GROUND,) * 3)
  font = ImageFont.load_default(size)
  ImageDraw.Draw(image).text((1, 1), text, fill=(0, 0, 0), font=font)
  return np.asarray(image)
