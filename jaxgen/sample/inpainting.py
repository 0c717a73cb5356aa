"""Inpainting and outpainting by a denoiser."""

from __future__ import annotations

from typing import Annotated, Unpack

import numpy as np
from pydantic import Field

from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.sample import feather, hints
from jaxgen.sample.draw import Canvas, draw_images
from jaxgen.sample.editing import MAX_SIDE, checked_uint8, window_of
from jaxgen.sample.few_steps import corrections_of
from jaxgen.sample.options import SamplingKeywords, SamplingOptions
from jaxgen.sample.program_spec import Inputs
from jaxgen.sample.resolve import resolve
from jaxgen.sample.run import BATCH, LoadedRun

MAX_IMAGE = 1 << 16  # maximum side of an image of which a part is filled in
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
  corrections: int | None = None,
  first: int = 0,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Fill in the pixels where `mask` is True; the others are unchanged, except
  that a run of latents blends those next to the mask, see `feather`.

  Of images larger than the run's, the part around the masks is denoised, in
  windows of the run's size that overlap by half.

  Args:
    run: a run of a denoiser.
    images: images of the run's size or larger, with any values under the mask.
    mask: booleans `(n, h, w)` or `(h, w)`.
    seed: seed of the new pixels.
    batch: images per batch.
    corrections: corrections towards the known pixels per denoiser call, each at
      the cost of two calls; see `restoration.posterior.inpaint`. By default 2,
      and none for few-step models.
    first: number of images before these that share the seed.
    **options: fields of `SamplingOptions`; a `hint` is of the whole image.
  """
  cell = feather.cell_of(run)
  images = checked_uint8(run, images, largest=MAX_IMAGE)
  unknown = _full_mask(mask, images)
  any_unknown = np.any(unknown, axis=(0, 3))
  part = (slice(None), *surroundings(any_unknown, run.resolution))
  known = images[part]
  run.check_images(known, largest=MAX_SIDE)
  corrections = corrections_of(run, options.get("sampler"), corrections)
  canvas = _canvas(
    feather.filled(known, unknown[part]),
    unknown[part],
    corrections=corrections,
    window=window_of(run, known),
    first=first,
  )
  given = options.pop("hint", None)
  hint = None
  if given is not None:
    hint = hints.of_each(hints.make_hints(run, given), images.shape)[part]
  resolved = resolve(SamplingOptions(**options), run, hint=hint)
  drawn = draw_images(run, resolved, canvas, seed=seed, batch=batch)
  edited = images.copy()
  edited[part] = feather.blend(known, drawn.images, unknown[part], cell=cell)
  return edited


def surroundings(mask: np.ndarray, side: int) -> tuple[slice, slice]:
  """The rows and columns that are denoised to fill in the pixels of a mask
  `(h, w)`: half a window of `side` pixels around them, at least one window."""
  return (
    _around(np.flatnonzero(mask.any(1)), side, mask.shape[0]),
    _around(np.flatnonzero(mask.any(0)), side, mask.shape[1]),
  )


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
  corrections: int | None = None,
  first: int = 0,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Extend images to a larger canvas, uint8 `(n, height, width, c)`.

  The canvas is denoised in windows of the run's size that overlap by half.

  Args:
    run: a run of a denoiser.
    images: images of the run's size or larger; they are not changed.
    height: height of the canvas.
    width: width of the canvas.
    top: row of the images' upper edge, by default centered.
    left: column of the images' left edge, by default centered.
    seed: seed of the new pixels.
    batch: canvases per batch.
    corrections: as for `inpaint`.
    first: as for `inpaint`.
    **options: fields of `SamplingOptions`.
  """
  images = checked_uint8(run, images, largest=MAX_SIDE)
  n, channels = len(images), images.shape[3]
  area = _area(images.shape[1:3], (height, width), top=top, left=left)
  known = np.zeros((n, height, width, channels), np.uint8)
  unknown = np.ones((n, height, width, 1), bool)
  known[area], unknown[area] = images, False
  corrections = corrections_of(run, options.get("sampler"), corrections)
  canvas = _canvas(
    known,
    unknown,
    corrections=corrections,
    window=run.resolution,
    first=first,
  )
  resolved = resolve(SamplingOptions(**options), run)
  drawn = draw_images(run, resolved, canvas, seed=seed, batch=batch)
  return np.where(unknown, drawn.images, known)


def _canvas(
  images: np.ndarray,
  unknown: np.ndarray,
  *,
  corrections: int,
  window: int,
  first: int,
) -> Canvas:
  """The canvas of images with unknown pixels."""
  check_value("corrections", Corrections, corrections)
  inputs = Inputs(known=np.asarray(normalize(images)), mask=~unknown)
  return Canvas(
    shape=images.shape,
    inputs=inputs,
    window=window,
    corrections=corrections,
    first=first,
  )


def _area(
  size: tuple[int, ...],
  canvas: tuple[int, int],
  *,
  top: int | None,
  left: int | None,
) -> tuple[slice, ...]:
  """The area of images on a canvas, both (height, width)."""
  (height, width), (rows, columns) = size, canvas
  check_value("height", Side, rows)
  check_value("width", Side, columns)
  row: int = (rows - height) // 2 if top is None else top
  column: int = (columns - width) // 2 if left is None else left
  check_value("top", Offset, row)
  check_value("left", Offset, column)
  if not (0 <= row <= rows - height and 0 <= column <= columns - width):
    raise UserError(
      f"canvas {rows} x {columns}: expected to contain images of {height} x "
      f"{width} at row {row}, column {column}."
    )
  return np.s_[:, row : row + height, column : column + width]


def _around(pixels: np.ndarray, side: int, length: int) -> slice:
  """The part of a row of `length` pixels around some of them."""
  first, last = (pixels[0], pixels[-1] + 1) if len(pixels) else (0, 0)
  start = max(first - side // 2, 0)
  end = min(max(last + side // 2, start + side), length)
  return slice(int(min(start, end - side)), int(end))


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
