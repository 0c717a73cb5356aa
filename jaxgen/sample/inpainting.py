"""Filling in by a denoiser: the masked pixels of images, or a larger canvas
around them."""

from __future__ import annotations

from typing import Annotated, Unpack

import numpy as np
from pydantic import Field

from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.restoration.posterior import CORRECTIONS
from jaxgen.sample.draw import Canvas, draw_images
from jaxgen.sample.editing import checked_uint8
from jaxgen.sample.options import SamplingKeywords, SamplingOptions
from jaxgen.sample.program import Inputs
from jaxgen.sample.resolve import resolve
from jaxgen.sample.run import BATCH, LoadedRun

MAX_SIDE = 4096  # pixels of a canvas
CANVAS_BATCH = 4  # each is many windows
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Offset = Annotated[int, Field(ge=-MAX_SIDE, le=MAX_SIDE)]
Corrections = Annotated[int, Field(ge=0, le=64)]


def inpaint(
  run: LoadedRun,
  images: np.ndarray,
  mask: np.ndarray,
  *,
  seed: int = 0,
  batch: int = BATCH,
  corrections: int = CORRECTIONS,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Fill in the pixels where `mask` is True; the others stay as they are.

  Args:
    run: of a denoiser.
    images: of the run's size, with anything in the masked places.
    mask: booleans `(n, h, w)` or `(h, w)`.
    seed: of what is filled in.
    batch: images a call of the compiled program.
    corrections: of the denoiser towards what is known, at each call, which cost
      two calls each: see `restoration.posterior.inpaint`.
    **options: the fields of `SamplingOptions`.
  """
  images = checked_uint8(run, images)
  unknown = _full_mask(mask, images)
  canvas = _canvas(images, unknown, corrections=corrections)
  resolved = resolve(SamplingOptions(**options), run)
  drawn = draw_images(run, resolved, canvas, seed=seed, batch=batch)
  return np.where(unknown, drawn.images, images)


def outpaint(
  run: LoadedRun,
  images: np.ndarray,
  height: int,
  width: int,
  *,
  top: int | None = None,
  left: int | None = None,
  seed: int = 0,
  batch: int = CANVAS_BATCH,
  corrections: int = CORRECTIONS,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Continue images on a larger canvas, uint8 `(n, height, width, c)`.

  The canvas is denoised in windows of the run's size that overlap by half.

  Args:
    run: of a denoiser.
    images: of the run's size; they stay as they are.
    height: of the canvas.
    width: of the canvas.
    top: row of the images' upper edge on it, by default in the middle.
    left: column of their left edge.
    seed: of what is new.
    batch: canvases a call of the compiled program.
    corrections: as for `inpaint`.
    **options: the fields of `SamplingOptions`.
  """
  images = checked_uint8(run, images)
  n, side, _, channels = images.shape
  area = _area(side, height, width, top=top, left=left)
  known = np.zeros((n, height, width, channels), np.uint8)
  unknown = np.ones((n, height, width, 1), bool)
  known[area], unknown[area] = images, False
  canvas = _canvas(known, unknown, corrections=corrections, window=side)
  resolved = resolve(SamplingOptions(**options), run)
  drawn = draw_images(run, resolved, canvas, seed=seed, batch=batch)
  return np.where(unknown, drawn.images, known)


def _canvas(
  images: np.ndarray,
  unknown: np.ndarray,
  *,
  corrections: int,
  window: int = 0,
) -> Canvas:
  """The canvas on which images are known but where they are unknown."""
  check_value("corrections", Corrections, corrections)
  inputs = Inputs(known=np.asarray(normalize(images)), mask=~unknown)
  return Canvas(
    shape=images.shape, inputs=inputs, window=window, corrections=corrections
  )


def _area(
  side: int, height: int, width: int, *, top: int | None, left: int | None
) -> tuple[slice, ...]:
  """The place of square images on a canvas."""
  check_value("height", Side, height)
  check_value("width", Side, width)
  row: int = (height - side) // 2 if top is None else top
  column: int = (width - side) // 2 if left is None else left
  check_value("top", Offset, row)
  check_value("left", Offset, column)
  if not (0 <= row <= height - side and 0 <= column <= width - side):
    raise UserError(
      f"canvas {height} x {width}: expected one that holds images of {side} x "
      f"{side} at row {row}, column {column}."
    )
  return np.s_[:, row : row + side, column : column + side]


def _full_mask(mask: np.ndarray, images: np.ndarray) -> np.ndarray:
  """A mask as booleans `(n, h, w, 1)`."""
  mask = np.asarray(mask)
  n, h, w, _ = images.shape
  if mask.dtype != bool or mask.shape not in ((h, w), (n, h, w)):
    raise UserError(
      f"mask: expected booleans {(h, w)} or {(n, h, w)}, got {mask.dtype} "
      f"{mask.shape}."
    )
  return np.broadcast_to(mask, (n, h, w))[..., None]
