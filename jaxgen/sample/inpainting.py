"""Inpainting and outpainting by a denoiser."""

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

MAX_SIDE = 4096  # maximum side of a canvas in pixels
CANVAS_BATCH = 4  # small, since a canvas has many windows
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
  """Fill in the pixels where `mask` is True; the others are unchanged.

  Args:
    run: a run of a denoiser.
    images: images of the run's size, with any values under the mask.
    mask: booleans `(n, h, w)` or `(h, w)`.
    seed: seed of the new pixels.
    batch: images per batch.
    corrections: corrections towards the known pixels per denoiser call, each at
      the cost of two calls; see `restoration.posterior.inpaint`.
    **options: fields of `SamplingOptions`.
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
  """Extend images to a larger canvas, uint8 `(n, height, width, c)`.

  The canvas is denoised in windows of the run's size that overlap by half.

  Args:
    run: a run of a denoiser.
    images: images of the run's size; they are not changed.
    height: height of the canvas.
    width: width of the canvas.
    top: row of the images' upper edge, by default centered.
    left: column of the images' left edge, by default centered.
    seed: seed of the new pixels.
    batch: canvases per batch.
    corrections: as for `inpaint`.
    **options: fields of `SamplingOptions`.
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
  """The canvas of images with unknown pixels."""
  check_value("corrections", Corrections, corrections)
  inputs = Inputs(known=np.asarray(normalize(images)), mask=~unknown)
  return Canvas(
    shape=images.shape, inputs=inputs, window=window, corrections=corrections
  )


def _area(
  side: int, height: int, width: int, *, top: int | None, left: int | None
) -> tuple[slice, ...]:
  """The area of square images on a canvas."""
  check_value("height", Side, height)
  check_value("width", Side, width)
  row: int = (height - side) // 2 if top is None else top
  column: int = (width - side) // 2 if left is None else left
  check_value("top", Offset, row)
  check_value("left", Offset, column)
  if not (0 <= row <= height - side and 0 <= column <= width - side):
    raise UserError(
      f"canvas {height} x {width}: expected to contain images of {side} x "
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
