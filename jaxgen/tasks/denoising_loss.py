"""The loss of denoisers."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import edm, sigmas
from jaxgen.models.conditioning import fourier_features
from jaxgen.tasks import domains, noise_maps
from jaxgen.tasks.companion import with_base
from jaxgen.tasks.examples import Denoiser, Examples, error, folded
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Space
from jaxgen.typing import Array, Batch, LossInputs, Metrics, Params

UNCERTAINTY = "uncertainty"  # its parameters, next to the network's
FEATURES = 32  # Fourier features of the uncertainty
MAPS = 3  # stream of the keys of noise maps


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
    config, denoiser = self.config, self.denoiser
    everything = with_base(params, inputs.frozen)
    example = self._examples(batch, keys, inputs.frozen)
    y, sigma, unit, cond = example
    x, levels = example.at(sigma), sigma
    if config.noise_map:
      x, levels, cond = noise_maps.draw(
        config,
        denoiser(everything),
        y,
        sigma=sigma,
        unit=unit,
        cond=cond,
        keys=folded(keys, MAPS),
      )
    d = denoiser(everything, keys[0])(x, levels, cond)
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

  @property
  def _examples(self) -> Examples:
    return Examples(
      config=self.config,
      space=self.space,
      level=lambda key: draw_sigmas(self.config, key, 1)[0],
      hint=self.hint,
    )


def draw_sigmas(config: DiffusionConfig, key: Array, num: int) -> Array:
  """Random noise levels for training, `(num,)`."""
  if config.noise_distribution == "log_uniform":
    return sigmas.draw_log_uniform(
      key, num, sigma_min=config.sigma_min, sigma_max=config.sigma_max
    )
  return sigmas.draw_log_normal(key, num, mean=config.P_mean, std=config.P_std)


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
