"""What the latents of an autoencoder are like.

Latents are `(n, ..., c)`: vectors, or small images of which every place is
taken for one sample of the `c` channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def samples(latents: np.ndarray) -> np.ndarray:
  """Latents `(n, ..., c)` as float64 `(m, c)`."""
  return np.asarray(latents, np.float64).reshape(-1, latents.shape[-1])


def moments(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Mean and standard deviation of each channel, `(c,)` each."""
  x = samples(latents)
  return x.mean(0), x.std(0)


def covariance_spectrum(latents: np.ndarray) -> np.ndarray:
  """Eigenvalues `(c,)` of the channels' covariance, the largest first."""
  x = samples(latents)
  x = x - x.mean(0)
  values = np.linalg.eigvalsh(x.T @ x / len(x))[::-1]
  return np.maximum(values, 0.0)


def effective_rank(eigenvalues: np.ndarray) -> float:
  """exp of the entropy of the eigenvalues' shares: from 1, if all variance lies
  in one direction, to their number, if it is the same in all (Roy and Vetterli
  2007, eq. 4, of the covariance); 0 without any variance."""
  total = eigenvalues.sum()
  if not total > 0:
    return 0.0
  share = eigenvalues[eigenvalues > 0] / total
  return float(np.exp(-np.sum(share * np.log(share))))


def evenness(paths: np.ndarray) -> tuple[float, float]:
  """How smoothly images change along decoded straight lines between latents.

  Args:
    paths: images `(pairs, steps, h, w, c)`, at least two steps.

  Returns:
    The way over the distance between its ends, and the largest step over the
    mean one: means over the pairs, both 1 for a linear decoder, larger where
    the decoder bends or jumps.
  """
  x = np.asarray(paths, np.float64).reshape(*paths.shape[:2], -1)
  steps = np.linalg.norm(np.diff(x, axis=1), axis=-1)
  ends = np.linalg.norm(x[:, -1] - x[:, 0], axis=-1)
  moved = ends > 0
  if not moved.any():
    return 1.0, 1.0
  steps, ends = steps[moved], ends[moved]
  bend = steps.sum(1) / ends
  return float(bend.mean()), float((steps.max(1) / steps.mean(1)).mean())


def lines(latents: np.ndarray, steps: int) -> np.ndarray:
  """Straight lines `(n // 2, steps, ...)` from latent 2k to 2k + 1."""
  pairs = len(latents) // 2
  a, b = latents[: 2 * pairs : 2, None], latents[1 : 2 * pairs : 2, None]
  t = np.linspace(0, 1, steps, dtype=np.float32)
  t = t.reshape(1, -1, *[1] * (latents.ndim - 1))
  return a + t * (b - a)


def noise_response(
  decode: Callable[[np.ndarray], np.ndarray],
  latents: np.ndarray,
  levels: Sequence[float],
  *,
  seed: int = 0,
) -> list[float]:
  """Mean square change of decoded images, on the decoder's scale, when noise is
  added to latents: Gaussian, `level` times the scale of each channel."""
  rng = np.random.default_rng(seed)
  _, scale = moments(latents)
  noise = rng.standard_normal(latents.shape) * scale
  clean = np.asarray(decode(latents), np.float64)
  found = []
  for level in levels:
    moved = decode((latents + level * noise).astype(np.float32))
    found.append(float(np.mean((moved - clean) ** 2)))
  return found
