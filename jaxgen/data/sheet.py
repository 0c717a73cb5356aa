"""A sheet of tiles as the model sees them, for people."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxgen import pictures
from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.source import Element, Source
from jaxgen.images import visible

COLUMNS, ROWS = 12, 3  # of training tiles
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
  each with its class, mask and hint; uint8 (h, w, 3)."""
  first = _first_tiles(train, options, COLUMNS * ROWS)
  held_out = pipeline.stack(pipeline.fixed_tiles(validation, COLUMNS))
  for tiles in (first, held_out):
    tiles["image"] = visible(tiles["image"], options.shown_channels)
  side, num = first["image"].shape[1], len(held_out["image"])
  partners = " and its ".join(x for x in ("mask", "hint") if x in first)
  above = f", each above its {partners}" if partners else ""
  trained = f"the first {COLUMNS * ROWS} tiles, {side} x {side} pixels{above}"
  parts = {
    f"trained on: {trained}": _cells(first, train.label_names),
    f"held out: {num} tiles": _cells(held_out, train.label_names),
  }
  return pictures.sections(parts, columns=COLUMNS)


def _first_tiles(source: Source, options: DataConfig, num: int) -> Element:
  """The tiles that training starts with."""
  alone = dataclasses.replace(options, threads=0, workers=0)
  stream = ("train", 0)  # that of the first stage
  batches = pipeline.batches(source, alone, batch_size=num, stream=stream)
  with contextlib.closing(batches):
    return next(batches)


def _cells(tiles: Element, label_names: Sequence[str]) -> list[np.ndarray]:
  """Each tile, its mask, its hint and its class, one below the other."""
  columns = [[pictures.shown(x) for x in tiles["image"]]]
  if "mask" in tiles:
    masks = _COLORS[tiles["mask"] % len(_COLORS)]
    columns.append([pictures.shown(x) for x in masks])
  if "hint" in tiles:
    columns.append([pictures.shown(visible(x)) for x in tiles["hint"]])
  captions = _captions(tiles, label_names)
  if captions:
    width = columns[0][0].shape[1]
    columns.append([pictures.caption(x, width) for x in captions])
  return [np.concatenate(parts) for parts in zip(*columns, strict=True)]


def _captions(tiles: Element, label_names: Sequence[str]) -> list[str]:
  """The class of each tile; none if there are no classes."""
  if "label" not in tiles or not label_names:
    return []
  names = [*map(str, label_names), "(no label)"]  # label -1 is the last
  return [names[label] for label in tiles["label"].reshape(-1).tolist()]
