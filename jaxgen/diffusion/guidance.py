"""Guidance: a denoiser that combines several outputs of a denoiser.

By convention w = 1 is no guidance:

    classifier-free   D_0 + w (D_c - D_0)          (arXiv:2207.12598, rewritten)
    composed          D_0 + sum_k w_k (D_k - D_0)  (arXiv:2206.01714)
    autoguidance      D_weak + w (D - D_weak)      (arXiv:2406.02507)

D_0 is unconditional, D_k conditioned on the k-th condition only. All outputs of
a denoiser are computed in one batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Int, Key

from jaxgen.diffusion.edm import per_image
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

Labels = Int[Array, "*b"]  # labels of a batch, or of an image
Interval = tuple[float | Array, float | Array]  # sigmas in (low, high]
EVERYWHERE = (0.0, float("inf"))


def drop_conditions(
  key: Key[Array, ""], cond: dict[str, Labels], *, drop_prob: float
) -> dict[str, Labels]:
  """Conditions with random ones replaced by -1 (missing), for training.

  For a fraction `drop_prob` of the images each condition is dropped with a
  probability drawn per image, so that every subset occurs. A single condition
  is dropped with probability `drop_prob / 2`.

  Args:
    key: random key.
    cond: labels by name, `(b,)` or scalars.
    drop_prob: fraction of images with dropped conditions.
  """
  if not cond:
    return cond
  shape = next(iter(cond.values())).shape
  image_key, rate_key, drop_key = jax.random.split(key, 3)
  chosen = jax.random.uniform(image_key, shape) < drop_prob
  rate = jnp.where(chosen, jax.random.uniform(rate_key, shape), 0.0)
  dropped = jax.random.uniform(drop_key, (len(cond), *shape)) < rate[None]
  return {
    name: jnp.where(drop, -1, value)
    for drop, (name, value) in zip(dropped, cond.items(), strict=True)
  }


def compose(
  denoise: DenoiseFn,
  *,
  weights: Sequence[float | Array],
  interval: Interval = EVERYWHERE,
) -> DenoiseFn:
  """The denoiser D_0 + sum_k w_k (D_k - D_0) for sigma in `interval`.

  Its condition is a sequence of conditions of `denoise`: first the empty one,
  then one per weight. With one weight it is classifier-free guidance. Outside
  of the interval (low, high] all weights are 1 (arXiv:2404.07724).

  Args:
    denoise: a conditional denoiser.
    weights: w_k, each a number or one per image `(b,)`.
    interval: interval of sigma.
  """
  n = 1 + len(weights)

  def guided(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    conditions = cond or ()
    if len(conditions) != n:
      raise ValueError(f"cond: expected {n} conditions, got {len(conditions)}")
    stacked = jax.tree.map(lambda *values: jnp.concatenate(values), *conditions)
    outputs = denoise(_times(x, n), _times(sigma, n), stacked)
    base, *others = jnp.split(outputs, n)
    inside = per_image((sigma > interval[0]) & (sigma <= interval[1]))
    result = base
    for other, weight in zip(others, weights, strict=True):
      w = jnp.where(inside, _factor(weight, like=x), 1.0)
      result = result + w * (other - base)
    return result

  return guided


def _factor(weight: float | Array, *, like: Images) -> Array:
  """A weight, or one per image, shaped to broadcast over images."""
  values = jnp.asarray(weight, like.dtype)
  return per_image(jnp.broadcast_to(values, like.shape[:1]))


def _times(x: Array, n: int) -> Array:
  return jnp.concatenate([x] * n)


def autoguidance(
  denoise: DenoiseFn,
  weak: DenoiseFn,
  *,
  weight: float | Array,
  interval: Interval = EVERYWHERE,
) -> DenoiseFn:
  """The denoiser D_weak + w (D - D_weak), which extrapolates away from a weaker
  one, such as an earlier checkpoint or a smaller model."""

  def guided(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    good, bad = denoise(x, sigma, cond), weak(x, sigma, cond)
    inside = per_image((sigma > interval[0]) & (sigma <= interval[1]))
    w = jnp.where(inside, _factor(weight, like=x), 1.0)
    return good + (w - 1) * (good - bad)  # w = 1: exactly `good`

  return guided
