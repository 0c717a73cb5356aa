"""Guidance: a denoiser made of several answers of a denoiser.

One convention throughout, w = 1 is no guidance:

    classifier-free   D_0 + w (D_c - D_0)          (arXiv:2207.12598, rewritten)
    composed          D_0 + sum_k w_k (D_k - D_0)  (arXiv:2206.01714)
    autoguidance      D_weak + w (D - D_weak)      (arXiv:2406.02507)

D_0 knows no condition, D_k only the k-th. All answers that one denoiser has to
give are asked for in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array, DenoiseFn

EVERYWHERE = (0.0, float("inf"))


def hide(key: Array, cond: dict[str, Array], share: float) -> dict[str, Array]:
  """Conditions as training shows them: of a share of the images some are
  missing (-1), each of them with a probability drawn for the image, so that
  every subset occurs, none and all included. `cond` holds `(b,)`, or scalars.

  With one condition it is missing with probability `share / 2`.
  """
  if not cond:
    return cond
  shape = next(iter(cond.values())).shape
  of_images, of_rates, of_each = jax.random.split(key, 3)
  chosen = jax.random.uniform(of_images, shape) < share
  rate = jnp.where(chosen, jax.random.uniform(of_rates, shape), 0.0)
  lost = jax.random.uniform(of_each, (len(cond), *shape)) < rate
  return {
    name: jnp.where(gone, -1, value)
    for gone, (name, value) in zip(lost, cond.items(), strict=True)
  }


def compose(
  denoise: DenoiseFn,
  nothing: Any,
  conditions: Sequence[Any],
  weights: Sequence[float | Array],
  interval: tuple[float, float] = EVERYWHERE,
) -> DenoiseFn:
  """D_0 + sum_k w_k (D_k - D_0), where sigma lies in `interval`.

  With one condition it is classifier-free guidance. Outside of the interval
  (low, high] all weights are 1 (arXiv:2404.07724).

  Args:
    denoise: takes conditions; its own `cond` is replaced.
    nothing: the condition that says nothing, a tree of arrays `(b, ...)`.
    conditions: trees like it, one for each weight.
    weights: of each, a number or one for each image `(b,)`.
    interval: of sigma.
  """
  every = [nothing, *conditions]
  stacked = jax.tree.map(lambda *x: jnp.concatenate(x), *every)

  def guided(x: Array, sigma: Array, cond: Any = None) -> Array:
    n = len(every)
    answers = denoise(_times(x, n), _times(sigma, n), stacked)
    base, *others = jnp.split(answers, n)
    inside = (sigma > interval[0]) & (sigma <= interval[1])
    result = base
    for other, weight in zip(others, weights, strict=True):
      w = jnp.where(inside, jnp.asarray(weight, x.dtype), 1.0)
      result = result + per_image(w) * (other - base)
    return result

  return guided


def _times(x: Array, n: int) -> Array:
  return jnp.concatenate([x] * n)


def autoguidance(
  denoise: DenoiseFn,
  weak: DenoiseFn,
  weight: float,
  interval: tuple[float, float] = EVERYWHERE,
) -> DenoiseFn:
  """D_weak + w (D - D_weak): away from the mistakes of a weaker denoiser, such
  as an earlier checkpoint or a smaller model."""

  def guided(x: Array, sigma: Array, cond: Any = None) -> Array:
    good, bad = denoise(x, sigma, cond), weak(x, sigma, cond)
    inside = (sigma > interval[0]) & (sigma <= interval[1])
    w = jnp.where(inside, weight, 1.0)
    return good + per_image(w - 1) * (good - bad)  # w = 1: good, bit for bit

  return guided
