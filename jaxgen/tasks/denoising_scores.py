"""Held-out metrics and previews of denoisers."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import edm, samplers, sampling, sigmas
from jaxgen.images import normalize
from jaxgen.tasks.examples import conditions_of, error
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Frozen, Space, image_keys
from jaxgen.tasks.task import as_scores
from jaxgen.typing import Array, Batch, DenoiseFn, Metrics

HELD_OUT_LEVELS = 4  # noise levels per held-out image
SHOWN_SIGMA = 0.5  # noise level of the denoised images in previews
HINTS = "their hints"  # a row of previews
OTHERS = "loss_of_others"  # the loss with the hint of another image
TILES, NEW = "held-out tiles", "new images, sampled from noise"  # more
GOLDEN = (5**0.5 - 1) / 2  # turns of the hue from a class to the next one
DENOISED = "these with noise of standard deviation {sigma} ({unit}), denoised"


def held_out_sigmas(config: DiffusionConfig) -> Array:
  """Noise levels for evaluation: evenly spaced quantiles of a normal log sigma,
  for any training distribution."""
  quantile = (jnp.arange(HELD_OUT_LEVELS) + 0.5) / HELD_OUT_LEVELS
  return jnp.exp(config.P_mean + config.P_std * norm.ppf(quantile))


def evaluate(
  config: DiffusionConfig,
  space: Space,
  denoise: DenoiseFn,
  batch: Batch,
  *,
  hint: Hint | None,
  frozen: Frozen,
) -> Metrics:
  """Means over the held-out levels: the loss, and the PSNR of the denoised
  image; with hints also the loss where the network alone is given the hint of
  another image, see `Hint.with_others`. The noise depends only on the image."""
  images, cond = normalize(batch["image"]), conditions_of(config, batch)
  y = space.states(batch, image_keys(images), frozen)
  hints, told = hints_of(hint, batch, frozen)
  decode = space.codec(frozen, hints).decode
  cond = cond | told
  others = hint.tell_others(batch, frozen) if hint else {}

  def at(level: Array, sigma: Array) -> Metrics:
    sigmas_ = jnp.full(len(y), sigma)
    noise = edm.per_image(sigmas_) * noise_of(images, level, space.shape)
    d = denoise(y + noise, sigmas_, cond)
    weight = edm.weight(sigmas_, config.sigma_data)
    clipped = error(jnp.clip(decode(d), -1, 1), images) / 4  # on [0, 1]
    psnr = -10 * jnp.log10(jnp.maximum(clipped, 1e-10))
    scores = {"loss": weight * error(d, y), "psnr": psnr}
    if others:
      d = denoise(y + noise, sigmas_, cond | others)
      scores[OTHERS] = weight * error(d, y)
    return scores

  levels = (jnp.arange(HELD_OUT_LEVELS), held_out_sigmas(config))
  each = jax.lax.map(lambda x: at(*x), levels)
  return {k: jnp.mean(v, axis=0) for k, v in each.items()}


def hints_of(
  hint: Hint | None, batch: Batch, frozen: Frozen
) -> tuple[Array | None, dict[str, Array]]:
  """The hints of a batch, and what the network is told of them."""
  if hint is None:
    return None, {}
  images = hint.image(batch, frozen)
  return images, hint.tell(images)


def summarize(means: dict[str, Any]) -> dict[str, float]:
  """The means as scores; of a network that is given hints, `hint_gap` tells
  how much larger the loss is with the hints of other images: 0 if it ignores
  them."""
  scores = as_scores(means)
  if OTHERS in scores:
    scores["hint_gap"] = scores.pop(OTHERS) / scores["loss"] - 1
  return scores


def noise_of(images: Array, level: Array, shape: tuple[int, ...]) -> Array:
  """Standard normal noise `(b, *shape)`, a function of each image's pixels and
  the level."""

  def draw(key: Array) -> Array:
    return jax.random.normal(jax.random.fold_in(key, level), shape)

  return jax.vmap(draw)(image_keys(images))


def preview(
  config: DiffusionConfig,
  space: Space,
  denoise: DenoiseFn,
  batch: Batch,
  keys: Array,
  *,
  hint: Hint | None,
  frozen: Frozen,
) -> Array:
  """Held-out images, the same denoised, and new ones with equal conditions;
  see `rows`."""
  images, cond = normalize(batch["image"]), conditions_of(config, batch)
  hints, told = hints_of(hint, batch, frozen)
  cond = cond | told
  y = space.states(batch, image_keys(images), frozen)
  sigma = jnp.full(len(y), SHOWN_SIGMA)
  noise = SHOWN_SIGMA * noise_of(images, jnp.zeros(()), space.shape)
  denoised = denoise(y + noise, sigma, cond)
  grid = sigmas.karras(
    config.preview_steps,
    sigma_min=config.sigma_min,
    sigma_max=config.sigma_max,
  )
  start = sampling.initial_noise(keys, space.shape, sigma=grid[0])
  bound = functools.partial(denoise, cond=cond)
  new = sampling.sample(samplers.heun, bound, start, grid)
  decode = space.codec(frozen, hints).decode
  found = [images, decode(denoised), decode(new)]
  if hints is not None:
    found.insert(1, hint_pictures(hints, images.shape[-1]))
  return jnp.stack(found)


def rows(space: Space, hint: Hint | None) -> tuple[str, ...]:
  """The labels of the rows of a preview."""
  scaled = "in normalized latents or residuals"
  unit = scaled if space.numbers else "black to white is 2"
  denoised = DENOISED.format(sigma=SHOWN_SIGMA, unit=unit)
  return TILES, *(HINTS,) * (hint is not None), denoised, NEW


def hint_pictures(hints: Array, channels: int) -> Array:
  """Hints `(b, h, w, k)` as images of so many channels in [-1, 1]: classes have
  a color each, a pixel without a class is gray."""
  k = hints.shape[-1]
  if k == channels:
    return hints
  if k == 1:
    return jnp.repeat(hints, channels, -1)
  turns = GOLDEN * np.arange(k)[:, None] + np.arange(channels) / channels
  return hints @ jnp.asarray(np.cos(2 * np.pi * turns), hints.dtype)
