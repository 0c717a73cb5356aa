"""Spread of images by octave of frequency."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.typing import Array, Images


def octaves(height: int, width: int) -> Float[np.ndarray, "octaves h w"]:
  """Masks of the frequencies of a discrete Fourier transform by octave: the
  mean and waves as long as the side, then 2 and 3 waves a side, 4 to 7 and so
  on; the shortest are of the last whole octave."""
  axes = [np.fft.fftfreq(n) * n for n in (height, width)]
  frequency = np.maximum(*np.meshgrid(*map(np.abs, axes), indexing="ij"))
  highest = max(max(height, width) // 2 - 1, 1)
  octave = np.floor(np.log2(np.clip(frequency, 1, highest))).astype(int)
  masks = [octave == i for i in range(octave.max() + 1)]
  return np.stack(masks).astype(np.float32)


def power(images: Images) -> Float[Array, "b octaves"]:
  """The mean square of each image by octave; they add up to its own."""
  shape = images.shape[1:3]
  transformed = jnp.fft.fft2(images, axes=(1, 2), norm="ortho")
  squares = jnp.mean(jnp.abs(transformed) ** 2, axis=3)
  kept = jnp.asarray(octaves(*shape))
  return jnp.einsum("bhw,ohw->bo", squares, kept) / (shape[0] * shape[1])


def variance(
  mean: Float[np.ndarray, "h w c"], mean_power: Float[np.ndarray, " octaves"]
) -> Float[np.ndarray, " octaves"]:
  """The variance of images by octave, from the means of images and of their
  `power`."""
  return np.asarray(mean_power) - np.asarray(power(jnp.asarray(mean)[None]))[0]
