"""The power spectrum of images, a measure of sharpness."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

from jaxgen.images import normalize


def spectrum(
  images: Num[np.ndarray, "n h h c"],
) -> Float[np.ndarray, " frequencies"]:
  """The mean power of images at each integer radial frequency from 1 to half
  the side."""
  x = np.asarray(normalize(images), np.float64).mean(-1)
  side = x.shape[1]
  window = np.hanning(side + 2)[1:-1]
  x = (x - x.mean((1, 2), keepdims=True)) * np.outer(window, window)
  power = (np.abs(np.fft.fft2(x)) ** 2).mean(0).ravel()
  f = np.fft.fftfreq(side, 1 / side)
  radius = np.rint(np.hypot(f[:, None], f[None])).astype(int).ravel()
  total = np.bincount(radius, power) / np.bincount(radius)
  return total[1 : side // 2 + 1]


def spectrum_distance(
  real: Num[np.ndarray, "n h h c"], new: Num[np.ndarray, "m h h c"]
) -> tuple[float, float]:
  """The ratio of two spectra in dB: its root mean square over the frequencies,
  and its mean over the upper half, < 0 if blurred and > 0 if noisy."""
  ratio = 10 * np.log10((spectrum(new) + 1e-12) / (spectrum(real) + 1e-12))
  return float(np.sqrt(np.mean(ratio**2))), float(
    ratio[len(ratio) // 2 :].mean()
  )


def high_frequency_error(
  images: Float[np.ndarray, "n h w c"], references: Float[np.ndarray, "n h w c"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
  """The error in fine detail: at radial frequencies above 1/4 per pixel (waves
  shorter than four pixels).

  Images are clipped to [-1, 1] and compared on [0, 1]. By Parseval's theorem
  the errors at all frequencies sum to the MSE.

  Returns:
    The mean squared error at these frequencies, and its share of the MSE (0 if
    the MSE is 0).
  """
  x, y = (
    np.clip(np.asarray(a, np.float64), -1, 1) for a in (images, references)
  )
  h, w = x.shape[1:3]
  f = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[None])
  power = np.abs(np.fft.fft2((x - y) / 2, axes=(1, 2), norm="forward")) ** 2
  power = power.mean(-1)  # over channels
  high = power[:, f > 0.25].sum(-1)
  total = power.sum((1, 2))
  return high, np.divide(high, total, out=np.zeros_like(high), where=total > 0)
