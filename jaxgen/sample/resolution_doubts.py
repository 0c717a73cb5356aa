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


def about_noise(found: float, exposed: Exposure) -> tuple[str, ...]:
  """A doubt if the noise of images is not that of the camera."""
  counts = exposed.electrons
  ratio = image_noise.over_expected(found, counts, exposed.read_noise)
  if not image_noise.doubtful(ratio, counts[0, ..., 0].size):
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
