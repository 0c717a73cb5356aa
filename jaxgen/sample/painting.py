"""Sampling from a hybrid: an autoencoder gives the layout, a denoiser paints
what its reconstructions lack.

Images come as float32 hints, decoded by the autoencoder; the mean of many
paints of a hint is the hint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack

import numpy as np

from jaxgen.images import normalize
from jaxgen.latents.density import Method
from jaxgen.sample import codec, latent_prior, latent_sampling
from jaxgen.sample.canvas import Canvas, Drawn
from jaxgen.sample.codec import Path
from jaxgen.sample.draw import draw_images, program_memory
from jaxgen.sample.hints import make_hints
from jaxgen.sample.options import SamplingKeywords, SamplingOptions
from jaxgen.sample.resolve import ResolvedOptions, resolve
from jaxgen.sample.run import BATCH, LoadedRun

if TYPE_CHECKING:
  from jaxgen.sample.painter import PainterRun

STREAM = "paint"  # that of latents is "sample": both are of image i


def paint(
  run: LoadedRun,
  hints: np.ndarray,
  *,
  seed: int = 0,
  batch: int = BATCH,
  first: int = 0,
  one_noise: bool = False,
  trajectory: bool = False,
  **options: Unpack[SamplingKeywords],
) -> Drawn:
  """Paint what hints lack.

  Args:
    run: a run of a denoiser of residuals.
    hints: float32 `(n, h, w, c)`, of the run's size or larger: then in windows
      that overlap by half.
    seed: seed of the whole set.
    batch: images per batch.
    first: number of images before these that share the seed.
    one_noise: whether all images have the noise of the first.
    trajectory: whether to return the images of each step as well.
    **options: fields of `SamplingOptions` except for `hint`.
  """
  resolved = resolve(SamplingOptions(**options), run, hint=hints)
  canvas = Canvas(
    shape=hints.shape,
    window=run.resolution if hints.shape[1:] != run.image_shape else 0,
    trajectory=trajectory,
    first=first,
    stream=STREAM,
    one_noise=one_noise,
  )
  return draw_images(run, resolved, canvas, seed=seed, batch=batch)


def sample(
  run: PainterRun,
  num: int = 16,
  *,
  seed: int = 0,
  method: Method | Literal["diffusion"] = "gmm",
  prior: LoadedRun | None = None,
  trajectory: bool = False,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
  """Sample new images, uint8 `(num, h, w, c)`: latents are drawn as by the
  autoencoder's `sample`, decoded, and painted.

  Image i depends only on (seed, i) and the options, as for other runs.

  Args:
    run: a hybrid.
    num: number of images.
    seed: seed of the whole set.
    method: density of the latents, see `latent_sampling.sample`.
    prior: the run of latent diffusion, for method="diffusion".
    trajectory: also return the denoised images of each step.
    batch: images per batch.
    **options: fields of `SamplingOptions`; with `hint` the reconstructions of
      these images are painted instead.
  """
  given = options.pop("hint", None)
  _resolved(run, options)  # before latents are drawn
  if given is not None:
    hints = make_hints(run, given)[np.arange(num) % len(given)]
  elif method == "diffusion":
    drawn = latent_prior.sample(
      run.autoencoder, prior, num, seed=seed, batch=batch
    )
    hints = np.asarray(normalize(drawn))
  else:
    latents = latent_sampling.draw_latents(
      run.autoencoder, num, seed=seed, method=method, batch=batch
    )
    hints = codec.decode_float(run.autoencoder, latents, batch=batch)
  images, steps = paint(
    run, hints, seed=seed, batch=batch, trajectory=trajectory, **options
  )
  return images if steps is None else (images, steps)


def network_calls(run: LoadedRun, **options: Unpack[SamplingKeywords]) -> int:
  """The number of network calls per image."""
  return _resolved(run, options).network_calls


def sampling_bytes(
  run: LoadedRun, batch: int = BATCH, **options: Unpack[SamplingKeywords]
) -> int:
  """Memory in bytes of the program that paints a batch, with parameters."""
  size = run.whole_batch(batch, batch)
  canvas = Canvas(shape=(size, *run.image_shape))
  return program_memory(run, _resolved(run, options), canvas)


def _resolved(run: LoadedRun, options: SamplingKeywords) -> ResolvedOptions:
  """Options resolved for gray hints."""
  gray = np.zeros((1, *run.image_shape), np.float32)
  given: SamplingKeywords = {**options, "hint": None}
  return resolve(SamplingOptions(**given), run, hint=gray)


def encode(
  run: PainterRun, images: np.ndarray, *, batch: int = BATCH
) -> np.ndarray:
  """Images to float32 latents `(n, ...)` of the autoencoder."""
  return codec.encode(run.autoencoder, images, batch=batch)


def decode(
  run: PainterRun,
  latents: np.ndarray,
  *,
  seed: int = 0,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Latents `(n, ...)` to uint8 images, decoded and painted."""
  hints = codec.decode_float(run.autoencoder, latents, batch=batch)
  return paint(run, hints, seed=seed, batch=batch, **options).images


def reconstruct(
  run: PainterRun,
  images: np.ndarray,
  *,
  seed: int = 0,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """`decode(encode(images))`, uint8 `(n, h, w, c)`."""
  latents = encode(run, images, batch=batch)
  return decode(run, latents, seed=seed, batch=batch, **options)


def interpolate(
  run: PainterRun,
  a: np.ndarray,
  b: np.ndarray,
  steps: int = 9,
  *,
  how: Path = "linear",
  seed: int = 0,
  options: SamplingKeywords | None = None,
) -> np.ndarray:
  """Images uint8 `(steps, h, w, c)` between `a` and `b`, both `(h, w, c)`, by
  `codec.interpolate`, all painted with the same noise, so that the detail does
  not flicker; `options` are fields of `SamplingOptions`."""
  path = codec.latent_path(run.autoencoder, a, b, steps, how=how)
  hints = codec.decode_float(run.autoencoder, path)
  keywords: SamplingKeywords = options or {}
  return paint(run, hints, seed=seed, one_noise=True, **keywords).images
