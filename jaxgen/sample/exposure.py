"""Counts of a camera, checked and in electrons, for the restoration by a
run."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import ndimage

from jaxgen.errors import UserError
from jaxgen.restoration.calibration import ROUNDING
from jaxgen.restoration.camera import Camera
from jaxgen.restoration.named_operators import NamedOperator
from jaxgen.sample.run import LoadedRun

SMOOTHED, QUANTILE = 7, 0.999  # of the brightness of an image
FILLED = 0.25  # least share of the range to white that an image fills
LEAST_WHITE = 1e-3  # electrons

Scale = float | Literal["white", "image"] | None
Stack = Float[np.ndarray, "n h w c"]


class White(NamedTuple):
  """The electrons of white, x = 1, above those of black, and where they are
  from."""

  electrons: float
  origin: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exposure:
  """Images of one size by one camera.

  Attributes:
    camera: the camera.
    numbers: digital numbers, float32; NaN where they are not numbers.
    electrons: NaN where they say nothing.
    read_noise: electrons, with that of rounding, shaped as `electrons`.
    background: electrons of black above those of no light.
    white: electrons of white.
  """

  camera: Camera
  numbers: Stack
  electrons: Stack
  read_noise: Stack
  background: float
  white: White

  @property
  def scale(self) -> float:
    """Electrons for one unit of the image."""
    return self.white.electrons / 2

  @property
  def offset(self) -> float:
    """Electrons of an image of zeros."""
    return self.white.electrons / 2 + self.background


def exposure(
  numbers: np.ndarray,
  camera: Camera,
  *,
  background: float,
  scale: Scale,
) -> Exposure:
  """Images `(n, h, w, c)` of a camera, with the scale as given or found.

  Raises:
    UserError: nothing is seen, or the numbers do not fit each other.
  """
  rounded = numbers.dtype.kind in "iu"
  values = numbers.astype(np.float32)
  values = np.where(np.isfinite(values), values, np.float32(np.nan))
  try:
    electrons = np.array(camera.electrons(jnp.asarray(values)), np.float32)
    gain = np.broadcast_to(camera.gain, values.shape)
    read = np.broadcast_to(camera.read_noise, values.shape)
  except ValueError as e:
    raise UserError(
      f"gain, read_noise, black: expected numbers or arrays that fit images of"
      f" {values.shape[1:]}."
    ) from e
  if not np.isfinite(electrons).any():
    raise UserError(
      "counts: expected some below the white level, got"
      + (" saturated ones" if np.isfinite(values).any() else " NaN")
      + " alone."
    )
  variance = read**2 + (ROUNDING / gain**2 if rounded else 0.0)
  return Exposure(
    camera=camera,
    numbers=values,
    electrons=electrons,
    read_noise=np.sqrt(variance).astype(np.float32),
    background=background,
    white=_white(electrons - background, camera, scale, background=background),
  )


def check_counts(
  run: LoadedRun, counts: np.ndarray, measured: NamedOperator
) -> np.ndarray:
  """Counts as `(n, h, w, c)`, in their type.

  Raises:
    UserError: they do not fit the run.
  """
  values = np.asarray(counts)
  if values.dtype.kind not in "fiu" or not values.size:
    raise UserError(
      f"counts: expected numbers, got {values.dtype} {values.shape}."
    )
  channels = run.image_shape[2]
  if measured.colors and channels != measured.colors:
    raise UserError(
      f"operator: expected a run of {measured.colors} channels, got {channels}."
    )
  planes = measured.planes or channels
  if values.ndim == 2:
    values = values[..., None]
  values = values[None] if values.ndim == 3 else values
  if values.ndim != 4 or values.shape[3] != planes:
    raise UserError(
      f"counts: expected (n, h, w, {planes}), as the run has {channels}"
      f" {'channel' if channels == 1 else 'channels'}, got {np.shape(counts)}."
    )
  return values


def brightness(electrons: Stack) -> float:
  """The 99.9 % quantile of the smoothed images, NaN left out."""
  seen = np.isfinite(electrons)
  mean = lambda x: ndimage.uniform_filter(x, SMOOTHED, axes=(1, 2))  # noqa: E731
  weight = mean(seen.astype(np.float32))
  total = mean(np.where(seen, electrons, np.float32(0.0)))
  return float(np.quantile(total[seen] / weight[seen], QUANTILE))


def _white(
  electrons: Stack, camera: Camera, scale: Scale, *, background: float
) -> White:
  if isinstance(scale, int | float):
    if not (np.isfinite(scale) and scale > 0):
      raise UserError(f"scale={scale}: expected above 0.")
    return White(float(scale), "as given")
  level = np.mean(
    (np.asarray(camera.white) - camera.black) / np.asarray(camera.gain)
  )
  level = float(level) - background
  if scale == "white":
    if not np.isfinite(level):
      raise UserError("scale=white: expected the white level as well.")
    return White(level, "the white level")
  if scale not in (None, "image"):
    raise UserError(f"scale={scale!r}: expected a number, 'white' or 'image'.")
  found = brightness(electrons)
  if scale is None and np.isfinite(level) and found >= FILLED * level > 0:
    return White(level, "the white level")
  if not found > LEAST_WHITE:
    raise UserError(
      f"counts: expected light: their brightest parts are {found:.3g} electrons"
      " above black and background; scale gives the electrons of white."
    )
  return White(found, f"the {QUANTILE:.1%} quantile of the smoothed image")
