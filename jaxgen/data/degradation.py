"""Small images as cameras and the web make them: blurred, resized, noisy and
compressed, twice over.

The chain and its ranges are those of Real-ESRGAN (Wang et al. 2021,
arXiv:2107.10833), with three differences: JPEG is Pillow's; Poisson noise has a
number of photons at white, log-uniform, instead of a factor of the image's
number of gray values; and resizing is antialiased. Every image has its own
degradation, a pure function of the image and a key. Images are float32 `(h, w,
c)` on [0, 1] in between.
"""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from jaxtyping import Float, Num
from PIL import Image

from jaxgen.data import blur_kernels

GRAY = 0.4  # probability that noise is that of the luma
LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)
QUALITY = (30, 95)  # of JPEG
LEAST = 4  # side of an image in between, in pixels
FILTERS = (
  Image.Resampling.BOX,
  Image.Resampling.BILINEAR,
  Image.Resampling.BICUBIC,
)
Unit = Float[np.ndarray, "h w c"]  # an image on [0, 1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pass:
  """One pass of blur, resizing, noise and compression.

  Attributes:
    blur_prob: probability of a blur.
    sigma: standard deviations of the blur in pixels.
    scales: probabilities of enlarging, of reducing, and of neither.
    scale: smallest and largest factor between the sides.
    noise: standard deviations of Gaussian noise, of 255.
    photons: number of photons at white, of Poisson noise.
  """

  blur_prob: float
  sigma: tuple[float, float]
  scales: tuple[float, float, float]
  scale: tuple[float, float]
  noise: tuple[float, float]
  photons: tuple[float, float]


PASSES = (
  Pass(
    blur_prob=1.0,
    sigma=(0.2, 3.0),
    scales=(0.2, 0.7, 0.1),
    scale=(0.15, 1.5),
    noise=(1.0, 30.0),
    photons=(20.0, 2000.0),
  ),
  Pass(
    blur_prob=0.8,
    sigma=(0.2, 1.5),
    scales=(0.3, 0.4, 0.3),
    scale=(0.3, 1.2),
    noise=(1.0, 25.0),
    photons=(20.0, 2000.0),
  ),
)
SINC_PROB = 0.8  # of the last filter


def realistic(
  image: Num[np.ndarray, "h w c"], key: int, *, factor: int
) -> Num[np.ndarray, "low_h low_w c"]:
  """A tile, smaller by a factor and degraded, in its type.

  Args:
    image: uint8, uint16, or float32 in [-1, 1], of 1 or 3 channels.
    key: selects the degradation.
    factor: divides the sides.
  """
  rng = np.random.default_rng(key)
  height, width = (side // factor for side in image.shape[:2])
  x = _unit(image)
  first, second = PASSES
  x = _degraded(x, first, rng, size=image.shape[:2])
  x = jpeg(x, _quality(rng))
  x = _degraded(x, second, rng, size=(height, width))
  if rng.random() < 0.5:  # the last filter before or after the compression
    x = jpeg(_filtered(resized(x, height, width, rng), rng), _quality(rng))
  else:
    x = _filtered(resized(jpeg(x, _quality(rng)), height, width, rng), rng)
  return _as_type(x, image.dtype)


def _degraded(
  x: Unit, ranges: Pass, rng: np.random.Generator, *, size: tuple[int, ...]
) -> Unit:
  """A pass without its compression; the sides after resizing are multiples of
  `size`."""
  if rng.random() < ranges.blur_prob:
    x = blur_kernels.convolve(x, blur_kernels.draw(rng, sigma=ranges.sigma))
  low, high = ranges.scale
  up, down, _ = ranges.scales
  kind = rng.random()
  scale = 1.0
  if kind < up:
    scale = rng.uniform(1, high)
  elif kind < up + down:
    scale = rng.uniform(low, 1)
  height, width = (max(LEAST, round(scale * side)) for side in size)
  x = resized(x, height, width, rng)
  gray = bool(rng.random() < GRAY)
  if rng.random() < 0.5:
    return gaussian_noise(x, rng.uniform(*ranges.noise) / 255, rng, gray=gray)
  photons = np.exp(rng.uniform(*np.log(ranges.photons)))
  return photon_noise(x, float(photons), rng, gray=gray)


def gaussian_noise(
  x: Unit, std: float, rng: np.random.Generator, *, gray: bool
) -> Unit:
  """An image with Gaussian noise, one value for all channels if `gray`."""
  shape = (*x.shape[:2], 1 if gray else x.shape[2])
  return np.clip(x + std * rng.standard_normal(shape, np.float32), 0, 1)


def photon_noise(
  x: Unit, photons: float, rng: np.random.Generator, *, gray: bool
) -> Unit:
  """An image of Poisson counts, of so many photons at white; if `gray` all
  channels have the noise of the luma."""
  x = np.clip(x, 0, 1)
  mean = luma(x) if gray else x
  counts = rng.poisson(photons * mean).astype(np.float32) / np.float32(photons)
  return np.clip(x + (counts - mean), 0, 1)


def luma(x: Unit) -> Float[np.ndarray, "h w 1"]:
  """The luma of RGB, or a single channel itself."""
  return x if x.shape[2] == 1 else (x @ LUMA)[..., None]


def resized(x: Unit, height: int, width: int, rng: np.random.Generator) -> Unit:
  """An image at another size, by a kernel that is drawn; antialiased."""
  kernel = FILTERS[rng.integers(len(FILTERS))]
  planes = [
    Image.fromarray(plane).resize((width, height), kernel)
    for plane in np.moveaxis(np.ascontiguousarray(x, np.float32), 2, 0)
  ]
  return np.clip(np.stack([np.asarray(p) for p in planes], -1), 0, 1)


def jpeg(x: Unit, quality: int) -> Unit:
  """An image after JPEG compression and decompression, of 8 bits."""
  eight = np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)
  file = io.BytesIO()
  pixels = eight[..., 0] if x.shape[2] == 1 else eight
  Image.fromarray(pixels).save(file, "JPEG", quality=quality)
  decoded = np.asarray(Image.open(file), np.float32) / 255
  return decoded.reshape(x.shape)


def _quality(rng: np.random.Generator) -> int:
  low, high = QUALITY
  return int(rng.integers(low, high + 1))


def _filtered(x: Unit, rng: np.random.Generator) -> Unit:
  """An image with the ringing of a sharp low-pass filter, mostly."""
  if rng.random() >= SINC_PROB:
    return x
  return np.clip(blur_kernels.convolve(x, blur_kernels.draw_sinc(rng)), 0, 1)


def _unit(image: np.ndarray) -> Unit:
  if image.dtype.kind == "f":
    return np.clip((image.astype(np.float32) + 1) / 2, 0, 1)
  return image.astype(np.float32) / np.iinfo(image.dtype).max


def _as_type(x: Unit, dtype: np.dtype) -> np.ndarray:
  if dtype.kind == "f":
    return (2 * x - 1).astype(dtype)
  top = np.iinfo(dtype).max
  return np.rint(np.clip(x, 0, 1) * top).astype(dtype)
