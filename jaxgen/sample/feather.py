"""The border between known and new pixels, for denoisers whose states have
cells of several pixels: a cell is known or new as a whole, and a decoder knows
no mask."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage

from jaxgen.errors import UserError
from jaxgen.sample.run import LoadedRun
from jaxgen.typing import Array

Images = UInt8[np.ndarray, "n h w c"]
Mask = Bool[np.ndarray, "n h w 1"]


def cell_of(run: LoadedRun) -> int:
  """The side of a cell of a run's states in pixels.

  Raises:
    UserError: they are no places of the image.
  """
  space = run.task.space
  if space is None or not space.cell:
    vector = space is None or space.shape[:2] == (1, 1)
    kind = "vectors" if vector else "tokens"
    raise UserError(
      f"mask: the latents of {run.workdir} are {kind} without places in the"
      " image; expected a run of pixels or of latents that are small images."
    )
  return space.cell


def known_cells(mask: Array, shape: tuple[int, ...]) -> Array:
  """The positions `(b, h, w, 1)` of states of a shape all of whose pixels are
  known, by a mask of known pixels."""
  (num, rows, columns, _), (height, width, _) = mask.shape, shape
  blocks = num, height, rows // height, width, columns // width, 1
  return mask.reshape(blocks).all((2, 4))


def filled(images: Images, unknown: Mask) -> Images:
  """Images with unknown pixels as the mean of the known ones of each channel,
  so that nothing depends on what they were."""
  known = ~np.broadcast_to(unknown, images.shape)
  count = np.maximum(known.sum((1, 2), keepdims=True), 1)
  total = np.sum(images, (1, 2), keepdims=True, where=known, dtype=np.int64)
  return np.where(known, images, np.round(total / count)).astype(np.uint8)


def share(unknown: Mask, cell: float) -> Float[np.ndarray, "n h w 1"]:
  """The share of new pixels: 1 where unknown, falling linearly to 0 at a
  distance of `cell` pixels; with `cell=1` it is 0 at once."""
  distance = np.stack([_distance(x[..., 0]) for x in unknown])[..., None]
  return np.clip(1 - distance / cell, 0, 1)


def blend(known: Images, new: Images, unknown: Mask, *, cell: int) -> Images:
  """Known images with new ones where unknown, blended over one cell outside;
  pixels that are farther away are unchanged."""
  weight = share(unknown, cell)
  return np.round(known + weight * (new - known.astype(float))).astype(np.uint8)


def _distance(unknown: np.ndarray) -> np.ndarray:
  """The distance of each pixel from an unknown one; infinite without one."""
  if not unknown.any():
    return np.full(unknown.shape, np.inf)
  return np.asarray(ndimage.distance_transform_edt(~unknown))
