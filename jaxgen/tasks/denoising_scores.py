"""Held-out metrics and previews of denoisers."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import edm, samplers, sampling, sigmas
from jaxgen.images import normalize
from jaxgen.tasks.denoising_loss import conditions_of, error
from jaxgen.tasks.space import Frozen, Space, image_keys
from jaxgen.typing import Array, Batch, DenoiseFn, Metrics

HELD_OUT_LEVELS = 4  # noise levels per held-out image
SHOWN_SIGMA = 0.5  # noise level of the denoised images in previews
ROWS = (  # of previews
  "held-out tiles",
  f"these with noise of standard deviation {SHOWN_SIGMA} (black to white is 2),"
  " denoised",
  "new images, sampled from noise",
)


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
  frozen: Frozen,
) -> Metrics:
  """Means over the held-out levels: the loss, and the PSNR of the denoised
  image. The noise depends only on the image."""
  images, cond = normalize(batch["image"]), conditions_of(config, batch)
  y = space.states(batch, image_keys(images), frozen)
  decode = space.codec(frozen, None).decode

  def at(level: Array, sigma: Array) -> Metrics:
    sigmas_ = jnp.full(len(y), sigma)
    noise = edm.per_image(sigmas_) * noise_of(images, level, space.shape)
    d = denoise(y + noise, sigmas_, cond)
    weight = edm.weight(sigmas_, config.sigma_data)
    clipped = error(jnp.clip(decode(d), -1, 1), images) / 4  # on [0, 1]
    psnr = -10 * jnp.log10(jnp.maximum(clipped, 1e-10))
    return {"loss": weight * error(d, y), "psnr": psnr}

  levels = (jnp.arange(HELD_OUT_LEVELS), held_out_sigmas(config))
  each = jax.lax.map(lambda x: at(*x), levels)
  return {k: jnp.mean(v, axis=0) for k, v in each.items()}


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
  frozen: Frozen,
) -> Array:
  """Held-out images, the same denoised, and new ones with equal conditions."""
  images, cond = normalize(batch["image"]), conditions_of(config, batch)
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
  decode = space.codec(frozen, None).decode
  return jnp.stack([images, decode(denoised), decode(new)])
