r"""How far posteriors are from the prior, and how much that may cost.

The divergence of N(m, s^2) from N(0, 1), in nats for each latent number
(Kingma and Welling 2014, appendix B):

    KL = (m^2 + s^2 - 1 - ln s^2) / 2

The loss has its mean over the numbers, times beta. Three things move beta,
alone or together:

    schedule     constant; linear: from 0 over `warmup_images`; cyclical: less
                 by `reduction` in the last `cooldown_images` of each
                 `period_images`, above a floor that grows by the factor
                 `growth` with each period (after Bowman et al. 2016)
    adaptive     the share beta KL / total, smoothed, is held in a band: above
                 it beta shrinks by `rate` per `interval_images`, below it grows
    free bits    numbers cost at least `free_bits` each, so that there is
                 nothing to gain below (after Kingma et al. 2016, eq. 15, who
                 clip means over a batch; here each image's, whatever the batch)

All but two numbers follow from the images seen: the adapted beta and the
smoothed share (as the two sums whose ratio it is) are the state.
"""

from __future__ import annotations

import jax.numpy as jnp

from jaxgen.config.losses import KLConfig
from jaxgen.typing import Array

State = dict[str, Array]


def divergence(mean: Array, log_variance: Array) -> Array:
  """KL of each latent number, nats, of the shape of `mean`."""
  return (mean**2 + jnp.exp(log_variance) - 1 - log_variance) / 2


def cost(nats: Array, free_bits: float) -> Array:
  """The divergence `(b,)` that the loss counts, of `nats` `(b, ...)`: the mean
  over the numbers of each image, each at least `free_bits`."""
  return jnp.maximum(nats, free_bits).reshape(len(nats), -1).mean(1)


def initial_state(config: KLConfig) -> State:
  """The state before the first step: the adapted beta, and the two sums whose
  ratio is the smoothed share."""
  zero = jnp.zeros((), jnp.float32)
  return {"beta": zero + config.beta, "share": zero, "weight": zero}


def beta(config: KLConfig, state: State, images: Array) -> Array:
  """The weight of the divergence after so many images."""
  seen = images.astype(jnp.float32) - config.start_images
  value = state["beta"]
  if config.schedule == "linear":
    value = value * jnp.clip(seen / (config.warmup_images or 1e-6), 0, 1)
  if config.schedule == "cyclical":
    place = jnp.mod(seen, config.period_images)
    cool = place >= config.period_images - config.cooldown_images
    value = value * (1 - config.reduction * cool)
  value = jnp.clip(value, floor(config, images), config.cap)
  return jnp.where(seen < 0, 0.0, value)


def floor(config: KLConfig, images: Array) -> Array:
  """The least weight after so many images: 0 but for the cyclical schedule."""
  if config.schedule != "cyclical":
    return jnp.zeros(())
  seen = images.astype(jnp.float32) - config.start_images
  periods = jnp.maximum(jnp.floor(seen / config.period_images), 0)
  log = jnp.log(config.floor or 1e-30) + periods * jnp.log(config.growth)
  return jnp.minimum(jnp.exp(log), config.cap)


def update(
  config: KLConfig, state: State, *, share: Array, images: Array, batch: int
) -> State:
  """The state after a step.

  Args:
    config: of the controller.
    state: before the step.
    share: of KL in the loss of the step.
    images: seen before the step.
    batch: images of the step.
  """
  if not config.adaptive:
    return state
  keep = 0.5 ** (batch / config.smoothing_images)
  kept = keep * state["share"] + (1 - keep) * share
  weight = keep * state["weight"] + (1 - keep)
  smooth = _smoothed(kept, weight)
  up, down = smooth < config.share_min, smooth > config.share_max
  log = up * jnp.log1p(config.rate) + down * jnp.log1p(-config.rate)
  value = state["beta"] * jnp.exp(log * batch / config.interval_images)
  least = jnp.maximum(floor(config, images), 1e-12)
  new = {
    "beta": jnp.clip(value, least, config.cap),
    "share": kept,
    "weight": weight,
  }
  warm = images.astype(jnp.float32) >= config.full_from
  return {k: jnp.where(warm, new[k], state[k]) for k in new}


def report(config: KLConfig, state: State, images: Array) -> dict[str, Array]:
  """Metrics of the controller: the adapted beta before the schedule, the
  smoothed share, and the floor."""
  return {
    "kl/beta_adapted": state["beta"],
    "kl/share_smoothed": _smoothed(state["share"], state["weight"]),
    "kl/floor": floor(config, images),
  }


def _smoothed(share: Array, weight: Array) -> Array:
  """The ratio of two sums of the state; 0 before the first step."""
  return share / jnp.maximum(weight, 1e-12)
