"""Distances between images and their reconstructions, one number per image.

Images are float32 `(b, h, w, c)` in [-1, 1]; results are `(b,)`.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax.numpy as jnp

from jaxgen.options import Options
from jaxgen.typing import Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossOptions(Options, section="loss"):
  """Everything under `loss` in a config; see `jaxgen.defaults`."""

  reconstruction: Literal["mse", "l1", "log_mse"] = "log_mse"


def mse(x: Array, y: Array) -> Array:
  """Mean squared error."""
  return jnp.mean((x - y) ** 2, axis=(1, 2, 3))


def l1(x: Array, y: Array) -> Array:
  """Mean absolute error."""
  return jnp.mean(jnp.abs(x - y), axis=(1, 2, 3))


def log_mse(x: Array, y: Array, floor: float = 1e-5) -> Array:
  """Logarithm of the mean squared error, `ln(mse + floor)`.

  Its mean over images is the mean PSNR up to a factor of -10 / ln 10 and a
  constant, so it weighs easy images as PSNR does: a tenth less error counts the
  same at 20 dB and at 40 dB. The floor (56 dB on [-1, 1]) bounds the gradient.
  """
  return jnp.log(mse(x, y) + floor)


RECONSTRUCTION = {"mse": mse, "l1": l1, "log_mse": log_mse}
