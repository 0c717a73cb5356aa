"""The space of residuals: what hints lack of the images.

A denoiser of y = k (x - hint) draws what a blurred image has lost, and never
moves what it shows; k = sigma_data / std(x - hint), measured on training tiles,
so that y has the standard deviation that the denoiser expects.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.tasks.hint import HintFn
from jaxgen.tasks.space import NUMBERS, Frozen, Shape, Space
from jaxgen.typing import Array, Batch, Codec

SCALE = "residual_scale"  # the number k


def residual(shape: Shape, hint: HintFn, sigma_data: float) -> Space:
  """The space of residuals of images of a shape."""

  def states(batch: Batch, keys: Array, frozen: Frozen) -> Array:
    lacking = normalize(batch["image"]) - hint(batch, frozen)
    return frozen[NUMBERS][SCALE] * lacking

  return Space(
    shape=shape,
    states=states,
    codec=functools.partial(_codec, shape),
    numbers={SCALE: np.ones((), np.float32)},
    fit=functools.partial(_fit, sigma_data),
  )


def _codec(shape: Shape, frozen: Frozen, hint: Array | None) -> Codec:
  """Images to residuals and back, given their hints.

  Raises:
    ValueError: there is no hint.
  """
  if hint is None:
    raise ValueError("hint: expected images, got None")
  k = frozen[NUMBERS][SCALE]
  return Codec(
    encode=lambda images, key=None: k * (images - hint),
    decode=lambda latents: hint + latents / k,
    latent_shape=shape,
  )


def _fit(sigma_data: float, lacking: np.ndarray) -> Mapping[str, np.ndarray]:
  std = np.std(lacking, dtype=np.float64)
  if not std:
    raise UserError(
      "diffusion.target=residual: expected hints that lack detail of the"
      " images, but all training tiles are equal to theirs."
    )
  return {SCALE: np.asarray(sigma_data / std, np.float32)}
