"""The loss of denoisers."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import edm, guidance, sigmas
from jaxgen.models.conditioning import fourier_features
from jaxgen.tasks import domains, noise_maps
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Space
from jaxgen.typing import Array, Batch, DenoiseFn, LossInputs, Metrics, Params

UNCERTAINTY = "uncertainty"  # its parameters, next to the network's
FEATURES = 32  # Fourier features of the uncertainty
MAPS = 3  # stream of the keys of noise maps
HINTS = 6  # stream of the keys of hints
STATES = 7  # stream of the keys of states


class Denoiser(Protocol):
  """The denoiser of parameters; with a key, its dropout is on."""

  def __call__(self, params: Params, key: Array | None = None) -> DenoiseFn: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Denoising:
  """The `LossFn` of denoisers: Karras et al. 2022, eq. 2, with their weight;
  with `uncertainty`, Karras et al. 2024, eq. 14.

  Attributes:
    config: the section.
    denoiser: the network, preconditioned.
    space: what it works on.
    hint: the images that it is given, if any.
    domains: names of the domains whose losses are weighed.
  """

  config: DiffusionConfig
  denoiser: Denoiser
  space: Space
  hint: Hint | None = None
  domains: tuple[str, ...] = ()

  def __call__(
    self, params: Params, batch: Batch, keys: Array, inputs: LossInputs
  ) -> tuple[Array, Metrics]:
    config = self.config
    y = self.space.states(batch, folded(keys, STATES), inputs.frozen)
    sigma, unit, cond = _draw(config, y, conditions_of(config, batch), keys)
    if self.hint is not None:
      images = self.hint.image(batch, inputs.frozen)
      cond = cond | self.hint.draw(images, folded(keys, HINTS))
    x, levels = y + edm.per_image(sigma) * unit, sigma
    if config.noise_map:
      x, levels, cond = noise_maps.draw(
        config,
        self.denoiser(params),
        y,
        sigma=sigma,
        unit=unit,
        cond=cond,
        keys=folded(keys, MAPS),
      )
    d = self.denoiser(params, keys[0])(x, levels, cond)
    mse = jnp.mean(error(d, y)) / 4  # of images on [0, 1]
    loss = _weighted(config, d, y, levels=levels)
    sums = domains.metrics(loss, batch, self.domains)
    if config.noise_map:
      sigma = jnp.exp(jnp.mean(jnp.log(levels), (1, 2, 3)))
    if config.uncertainty:
      u = _log_uncertainty(params, sigma)
      loss = loss * jnp.exp(-u) + u
    loss = domains.weigh(loss, batch, inputs)
    return jnp.mean(loss), {"mse": mse, **sums}


def folded(keys: Array, stream: int) -> Array:
  """Keys `(b,)` of a stream of their own."""
  return jax.vmap(lambda key: jax.random.fold_in(key, stream))(keys)


def conditions_of(config: DiffusionConfig, batch: Batch) -> dict[str, Array]:
  """The conditions of a batch by name."""
  return {name: batch[name] for name in config.conditions}


def error(x: Array, y: Array) -> Array:
  """Mean squared difference of each image, `(b,)`."""
  return jnp.mean((x - y) ** 2, axis=(1, 2, 3))


def draw_sigmas(config: DiffusionConfig, key: Array, num: int) -> Array:
  """Random noise levels for training, `(num,)`."""
  if config.noise_distribution == "log_uniform":
    return sigmas.draw_log_uniform(
      key, num, sigma_min=config.sigma_min, sigma_max=config.sigma_max
    )
  return sigmas.draw_log_normal(key, num, mean=config.P_mean, std=config.P_std)


def _draw(
  config: DiffusionConfig, y: Array, cond: dict[str, Array], keys: Array
) -> tuple[Array, Array, dict[str, Array]]:
  """Noise levels `(b,)`, unit noise shaped like `y`, and the conditions after
  dropping, each image's from its own key."""

  def draw_image(key: Array, cond: dict[str, Array]) -> Any:
    level_key, noise_key, drop_key = jax.random.split(key, 3)
    unit = jax.random.normal(noise_key, y.shape[1:])
    level = draw_sigmas(config, level_key, 1)[0]
    cond = guidance.drop_conditions(
      drop_key, cond, drop_prob=config.cond_drop_prob
    )
    return level, unit, cond

  return jax.vmap(draw_image)(keys, cond)


def _log_uncertainty(params: Params, sigma: Array) -> Array:
  """The learned u(sigma) `(b,)`: at its optimum e^u is the weighted error at
  sigma, so that all levels contribute equally."""
  c_noise = edm.scalings(sigma).c_noise
  return fourier_features(c_noise, FEATURES, highest=30.0) @ params[UNCERTAINTY]


def _weighted(
  config: DiffusionConfig, x: Array, y: Array, *, levels: Array
) -> Array:
  """The weighted error of each image, `(b,)`, at noise levels or maps."""
  weight = edm.weight(levels, config.sigma_data)
  if levels.ndim == 1:
    return weight * error(x, y)
  return jnp.mean(weight * (x - y) ** 2, axis=(1, 2, 3))
