"""Simulated exposures of a camera."""

import numpy as np

GAIN, READ_NOISE, BLACK = 2.0, 1.5, 100.0  # DN per electron, electrons, DN


def scene(side: int = 160) -> np.ndarray:
  """Smooth parts, edges and points, in [0, 1]; half of it is dark."""
  y, x = np.mgrid[:side, :side] / side
  rate = 0.04 + 0.5 * np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) / 0.03)
  rate[(x - 0.7) ** 2 + (y - 0.3) ** 2 < 0.03] = 0.9
  rate[::23, ::29] += 0.1
  return np.minimum(rate, 1.0)


def expose(
  rate: np.ndarray, seed: int, *, frames: int = 2, rounded: bool = True
) -> np.ndarray:
  """Exposures `(k, h, w)` of rates in electrons, in DN."""
  rng = np.random.default_rng(seed)
  shape = (frames, *rate.shape)
  electrons = rng.poisson(rate, shape) + rng.normal(0, READ_NOISE, shape)
  numbers = GAIN * electrons + BLACK
  return np.rint(numbers) if rounded else numbers
