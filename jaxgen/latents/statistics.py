"""Statistics of the latents of an autoencoder.

Latents are `(n, ..., c)`: vectors, or feature maps of which every position is
one sample of the `c` channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num

Latents = Num[np.ndarray, "n *s c"]


class Moments(NamedTuple):
  """Mean and standard deviation of each channel."""

  mean: Float[np.ndarray, " c"]
  scale: Float[np.ndarray, " c"]


class Smoothness(NamedTuple):
  """Smoothness of decoded straight lines: means over the lines, both 1 for a
  linear decoder, larger if the decoder bends or jumps.

  Attributes:
    path_ratio: length of the path divided by the distance of its ends.
    largest_step: largest step divided by the mean step.
  """

  path_ratio: float
  largest_step: float


def samples(latents: Latents) -> Float[np.ndarray, "m c"]:
  """Latents as float64 samples of their channels."""
  return np.asarray(latents, np.float64).reshape(-1, latents.shape[-1])


def moments(latents: Latents) -> Moments:
  """The moments of each channel."""
  x = samples(latents)
  return Moments(x.mean(0), x.std(0))


def covariance_spectrum(latents: Latents) -> Float[np.ndarray, " c"]:
  """Eigenvalues of the channels' covariance, largest first."""
  x = samples(latents)
  x = x - x.mean(0)
  values = np.linalg.eigvalsh(x.T @ x / len(x))[::-1]
  return np.maximum(values, 0.0)


def effective_rank(eigenvalues: Float[np.ndarray, " c"]) -> float:
  """The exponential of the entropy of normalized eigenvalues: 1 if all variance
  is in one direction, their number if it is the same in all (Roy and Vetterli
  2007, eq. 4, of the covariance); 0 without any variance."""
  total = eigenvalues.sum()
  if not total > 0:
    return 0.0
  share = eigenvalues[eigenvalues > 0] / total
  return float(np.exp(-np.sum(share * np.log(share))))


def smoothness(paths: Num[np.ndarray, "pairs steps h w c"]) -> Smoothness:
  """Smoothness of the images decoded along straight lines between latents, of
  at least two steps."""
  x = np.asarray(paths, np.float64).reshape(*paths.shape[:2], -1)
  steps = np.linalg.norm(np.diff(x, axis=1), axis=-1)
  ends = np.linalg.norm(x[:, -1] - x[:, 0], axis=-1)
  moved = ends > 0
  if not moved.any():
    return Smoothness(1.0, 1.0)
  steps, ends = steps[moved], ends[moved]
  ratio = (steps.sum(1) / ends).mean()
  largest = (steps.max(1) / steps.mean(1)).mean()
  return Smoothness(float(ratio), float(largest))


def straight_lines(
  latents: Num[np.ndarray, " n *s"], steps: int
) -> Num[np.ndarray, "pairs steps *s"]:
  """Straight lines from latent 2k to 2k + 1, each as `steps` latents."""
  pairs = len(latents) // 2
  a, b = latents[: 2 * pairs : 2, None], latents[1 : 2 * pairs : 2, None]
  t = np.linspace(0, 1, steps, dtype=np.float32)
  t = t.reshape(1, -1, *[1] * (latents.ndim - 1))
  return a + t * (b - a)


def noise_response(
  decode: Callable[[np.ndarray], np.ndarray],
  latents: Latents,
  levels: Sequence[float],
  *,
  seed: int = 0,
) -> list[float]:
  """Mean squared change of decoded images, on the decoder's scale, when
  Gaussian noise of `level` times each channel's scale is added to latents."""
  rng = np.random.default_rng(seed)
  noise = rng.standard_normal(latents.shape) * moments(latents).scale
  clean = np.asarray(decode(latents), np.float64)
  changes = []
  for level in levels:
    noisy = decode((latents + level * noise).astype(np.float32))
    changes.append(float(np.mean((noisy - clean) ** 2)))
  return changes
