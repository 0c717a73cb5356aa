"""Detection of tiles that are enlargements of smaller images.

Interpolation makes no detail: of an image enlarged by 2 or 4, little is left
between 0.4 and 0.5 cycles per pixel beside what is between 0.06 and 0.13. In
photographs the power falls by about 15 dB, in their bicubic and Lanczos
enlargements by more than 31. Images of a lens that blurs as much are found too:
there is as little to learn from them. Bilinear enlargements by 3 are not found.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

from jaxgen.images import as_uint8

HIGH, LOW = (0.40, 0.50), (0.06, 0.13)  # cycles per pixel
DROP = 31.0  # dB from the low to the high band, of an enlargement
ROUNDING = 1 / 12  # power of the rounding to 8 bits
LEAST_POWER = 2_000 * ROUNDING  # of the low band: DROP is then measurable
LUMA = (0.299, 0.587, 0.114)
LEAST_SIDE = 32  # pixels, so that the bands have frequencies


def count(images: Num[np.ndarray, "n h h c"]) -> tuple[int, int]:
  """The number of tiles that seem enlarged, and of those with enough detail to
  tell."""
  if images.shape[1] < LEAST_SIDE:
    return 0, 0
  found = [drop(x) for x in images]
  known = [x for x in found if x is not None]
  return sum(x > DROP for x in known), len(known)


def drop(image: Num[np.ndarray, "h h c"]) -> float | None:
  """The fall of the power from the low to the high band in dB; None: the tile
  has too little detail to tell."""
  x = as_uint8(image).astype(np.float64)
  gray = x @ LUMA if x.shape[-1] == 3 else x.mean(-1)
  power = (_powers(gray) + _powers(gray.T)) / 2
  frequencies = np.fft.rfftfreq(len(gray))
  high, low = (
    power[(frequencies >= a) & (frequencies <= b)].mean()
    for a, b in (HIGH, LOW)
  )
  if low < LEAST_POWER:
    return None
  return float(10 * np.log10(low / max(high, 1e-9)))


def _powers(x: Float[np.ndarray, "h w"]) -> Float[np.ndarray, " f"]:
  """The mean power spectrum of columns, per pixel."""
  window = np.hanning(len(x) + 2)[1:-1, None]
  spectrum = np.fft.rfft((x - x.mean(0)) * window, axis=0)
  return (np.abs(spectrum) ** 2).mean(1) / (window**2).sum()
