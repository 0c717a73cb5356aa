r"""The error of the best linear estimate, to judge that of others by.

With S_k the covariance `(c, c)` of the channels of a set of tiles at frequency
k, and V the variances of the noise of each channel, averaged over the set, the
Wiener filter leaves the squared error

    mean_k tr(S_k - S_k (S_k + V)^-1 S_k) / c

It knows the second moments of the tiles themselves, but nothing else: no edges,
and no noise that differs by pixel. Tiles are taken as periodic.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxgen.evaluation.sensors import Sensor

Tiles = Float[np.ndarray, "n h w c"]


def squared_error(tiles: Tiles, sensor: Sensor) -> float:
  """The mean squared error of the Wiener filter of a set of tiles, [-1, 1], for
  counts of a sensor."""
  signal = _spectrum(tiles.astype(np.float64))
  noise = np.diag(_noise(tiles, sensor))
  kept = np.linalg.solve(signal + noise, signal)
  left = signal - signal @ kept
  return float(np.trace(left, axis1=-2, axis2=-1).real.mean() / len(noise))


def _spectrum(tiles: Tiles) -> np.ndarray:
  """The covariances `(h, w, c, c)` of the channels by frequency, scaled so that
  their mean is that of the pixels."""
  _, height, width, _ = tiles.shape
  centered = tiles - tiles.mean((0, 1, 2))
  x = np.fft.fft2(centered, axes=(1, 2)) / np.sqrt(height * width)
  return np.einsum("nhwc,nhwd->hwcd", x, x.conj()) / len(tiles)


def _noise(tiles: Tiles, sensor: Sensor) -> Float[np.ndarray, " c"]:
  """The variances of the noise of each channel, in units of the image."""
  rates = sensor.scale * tiles.mean((0, 1, 2)) + sensor.offset
  return np.asarray((rates + sensor.read_noise**2) / sensor.scale**2)
