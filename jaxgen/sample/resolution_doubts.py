"""What an image says against a table of restorations: more detail than the
held-out tiles have, or a noise that is not that of the camera."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from jaxgen.restoration import image_noise
from jaxgen.restoration.resolutions import Table
from jaxgen.sample.exposure import Exposure

Plane = Float[np.ndarray, "h w"]
MORE_DETAIL = 2.0  # times that of the tiles, which is said
OTHER_NOISE = 1.5  # ratio of noise measured and expected, which is said


def noise(planes: list[Plane]) -> float:
  """The mean variance of the noise; NaN if too little is seen."""
  try:
    return float(np.mean([image_noise.noise_variance(x) for x in planes]))
  except ValueError:
    return math.nan


def about_noise(found: float, exposed: Exposure) -> tuple[str, ...]:
  """A doubt if the noise of images is not that of the camera."""
  read = float(np.mean(np.square(exposed.read_noise)))
  expected = max(float(np.nanmean(exposed.electrons)), 0.0) + read
  ratio = found / expected if expected > 0 else math.nan
  if math.isnan(ratio) or 1 / OTHER_NOISE <= ratio <= OTHER_NOISE:
    return ()
  return (
    f"the noise of the image has {ratio:.2g} times the variance that the camera"
    " should have: gain, black level or read noise may be others",
  )


def shares(
  planes: list[Plane], table: Table, *, noise: float
) -> dict[int, image_noise.Detail]:
  """By lower resolution, what it cannot show of images; empty if the noise is
  not known."""
  if math.isnan(noise):
    return {}
  return {side: _detail(planes, table, side, noise) for side in table.detail}


def _detail(
  planes: list[Plane], table: Table, side: int, noise: float
) -> image_noise.Detail:
  factor = table.full // side
  found = [image_noise.detail(x, factor, noise=noise) for x in planes]
  return image_noise.Detail(*(float(x) for x in np.mean(found, 0)))


def about_detail(
  found: image_noise.Detail, usual: float, *, photons: float, side: int
) -> tuple[str, ...]:
  """A doubt if images have more detail beyond a resolution than the tiles of
  the table."""
  detail = found.variance / photons**2
  if detail <= MORE_DETAIL * usual:
    return ()
  return (
    f"the image has {detail / max(usual, 1e-12):.2g} times the detail beyond"
    f" {side} pixels that the held-out tiles have: it loses more than the table"
    " says",
  )
