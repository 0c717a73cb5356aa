"""Guidance: a denoiser made of several answers of a denoiser.

One convention throughout, w = 1 is no guidance:

    classifier-free   D_0 + w (D_c - D_0)          (arXiv:2207.12598, rewritten)
    composed          D_0 + sum_k w_k (D_k - D_0)  (arXiv:2206.01714)
    autoguidance      D_weak + w (D - D_weak)      (arXiv:2406.02507)

D_0 knows no condition, D_k only the k-th. All answers of one denoiser are
computed in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Int, Key

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

Labels = Int[Array, "*b"]  # of images, or of one
Interval = tuple[float | Array, float | Array]  # of sigma: (low, high]
EVERYWHERE = (0.0, float("inf"))


def drop_conditions(
  key: Key[Array, ""], cond: dict[str, Labels], *, drop_prob: float
) -> dict[str, Labels]:
  """Conditions as training shows them: of a share `drop_prob` of the images
  some are missing (-1), each of them with a probability drawn for the image, so
  that every subset occurs, none and all included. `cond` holds `(b,)`, or
  scalars.

  With one condition it is missing with probability `drop_prob / 2`.
  """
  if not cond:
    return cond
  shape = next(iter(cond.values())).shape
  of_images, of_rates, of_each = jax.random.split(key, 3)
  chosen = jax.random.uniform(of_images, shape) < drop_prob
  rate = jnp.where(chosen, jax.random.uniform(of_rates, shape), 0.0)
  dropped = jax.random.uniform(of_each, (len(cond), *shape)) < rate[None]
  return {
    name: jnp.where(gone, -1, value)
    for gone, (name, value) in zip(dropped, cond.items(), strict=True)
  }


def compose(
  denoise: DenoiseFn,
  *,
  weights: Sequence[float | Array],
  interval: Interval = EVERYWHERE,
) -> DenoiseFn:
  """The denoiser D_0 + sum_k w_k (D_k - D_0) where sigma lies in `interval`.

  Its condition is a sequence of conditions of `denoise`: first the one that
  says nothing, then one for each weight. With one weight it is classifier-free
  guidance. Outside of the interval (low, high] all weights are 1
  (arXiv:2404.07724).

  Args:
    denoise: takes conditions.
    weights: w_k, a number or one for each image `(b,)`.
    interval: of sigma.
  """
  n = 1 + len(weights)

  def guided(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    every = cond or ()
    if len(every) != n:
      raise ValueError(f"cond: expected {n} conditions, got {len(every)}")
    stacked = jax.tree.map(lambda *values: jnp.concatenate(values), *every)
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
  *,
  weight: float | Array,
  interval: Interval = EVERYWHERE,
) -> DenoiseFn:
  """The denoiser D_weak + w (D - D_weak): away from the mistakes of a weaker
  one, such as an earlier checkpoint or a smaller model."""

  def guided(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    good, bad = denoise(x, sigma, cond), weak(x, sigma, cond)
    inside = (sigma > interval[0]) & (sigma <= interval[1])
    w = jnp.where(inside, weight, 1.0)
    return good + per_image(w - 1) * (good - bad)  # w = 1: good, bit for bit

  return guided
