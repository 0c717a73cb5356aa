"""Encoding, decoding, and edits in latent space.

Images have the run's size: uint8 `(n, h, w, c)`, uint16, or float32 in
[-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import jax
import numpy as np
from pydantic import Field

from jaxgen.batching import map_batches
from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.images import normalize, to_uint8
from jaxgen.latents.interpolation import lerp, slerp
from jaxgen.sample.latent_sampling import training_latents
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.typing import Array, Params

Path = Literal["linear", "spherical"]
PathSteps = Annotated[int, Field(ge=2)]


def encode(
  run: LoadedRun, images: np.ndarray, *, batch: int = BATCH
) -> np.ndarray:
  """Images to float32 latents `(n, ...)`, in batches of `batch` images."""
  run.check_images(images)
  program = run.cached(_encoder)
  return map_batches(
    lambda x: program(run.params, run.layout.put(x)),
    images,
    run.whole_batch(batch, len(images)),
    label="encoding",
  )


def decode(
  run: LoadedRun, latents: np.ndarray, *, batch: int = BATCH
) -> np.ndarray:
  """Latents `(n, ...)` to uint8 images `(n, h, w, c)`."""
  return np.asarray(to_uint8(decode_float(run, latents, batch=batch)))


def decode_float(
  run: LoadedRun, latents: np.ndarray, *, batch: int = BATCH
) -> np.ndarray:
  """Latents to float32 images, about [-1, 1] and not clipped."""
  latents = _checked_latents(run, latents)
  program = run.cached(_decoder)
  return map_batches(
    lambda z: program(run.params, run.layout.put(z)),
    latents,
    run.whole_batch(batch, len(latents)),
    label="decoding",
  )


def reconstruct(
  run: LoadedRun, images: np.ndarray, *, batch: int = BATCH
) -> np.ndarray:
  """`decode(encode(images))`, uint8 `(n, h, w, c)`."""
  return decode(run, encode(run, images, batch=batch), batch=batch)


def interpolate(
  run: LoadedRun,
  a: np.ndarray,
  b: np.ndarray,
  steps: int = 9,
  *,
  how: Path = "linear",
) -> np.ndarray:
  """Interpolate between two images in latent space.

  Args:
    run: a run of an autoencoder.
    a: first image `(h, w, c)`, reconstructed as image 0.
    b: last image.
    steps: number of images, including both ends; at least 2.
    how: `linear`, or `spherical` around the mean of the training latents.

  Returns:
    Images uint8 `(steps, h, w, c)`.
  """
  return decode(run, latent_path(run, a, b, steps, how=how))


def latent_path(
  run: LoadedRun, a: np.ndarray, b: np.ndarray, steps: int, *, how: Path
) -> np.ndarray:
  """The latents `(steps, ...)` of `interpolate`."""
  check_value("steps", PathSteps, steps)
  check_value("how", Path, how)
  first, last = (encode(run, np.asarray(x)[None])[0] for x in (a, b))
  t = np.linspace(0, 1, steps)
  if how == "linear":
    return np.stack([lerp(first, last, x) for x in t])
  center = run.cached(training_latents).mean(0)
  return np.stack([slerp(first, last, x, center=center) for x in t])


def analogy(
  run: LoadedRun, a: np.ndarray, b: np.ndarray, c: np.ndarray
) -> np.ndarray:
  """`a - b + c` in latent space, for images `(n, h, w, c)`; returns uint8."""
  first, second, third = (encode(run, x) for x in (a, b, c))
  if not len(first) == len(second) == len(third):
    raise UserError(
      "a, b, c: expected the same number of images, got "
      f"{len(first)}, {len(second)}, {len(third)}."
    )
  return decode(run, first - second + third)


def _encoder(run: LoadedRun) -> Callable[[Params, Array], Array]:
  return jax.jit(
    lambda params, x: run.task.codec(params).encode(normalize(x)),
    out_shardings=run.layout.replicated,
  )


def _decoder(run: LoadedRun) -> Callable[[Params, Array], Array]:
  return jax.jit(
    lambda params, z: run.task.codec(params).decode(z),
    out_shardings=run.layout.replicated,
  )


def _checked_latents(run: LoadedRun, latents: np.ndarray) -> np.ndarray:
  """Latents as float32.

  Raises:
    UserError: they are not finite numbers, or have another shape.
  """
  shape = run.task.latent_shape
  expected = f"latents: expected numbers (n, {', '.join(map(str, shape))})"
  try:
    x = np.asarray(latents).astype(np.float32, casting="same_kind")
  except (TypeError, ValueError) as e:
    raise UserError(f"{expected}, got {np.asarray(latents).dtype}.") from e
  if x.shape[1:] != shape or not x.size:
    raise UserError(f"{expected}, got {x.shape}.")
  if not np.isfinite(x).all():
    raise UserError("latents: expected finite numbers.")
  return x
