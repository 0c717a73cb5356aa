r"""The KL divergence of posteriors from the prior, and its weight.

The divergence of N(m, s^2) from N(0, 1), in nats, for each dimension of a
latent (Kingma and Welling 2014, appendix B), is

    KL = (m^2 + s^2 - 1 - ln s^2) / 2

The loss is its mean over the dimensions times a weight, beta. Three options
control it, alone or in combination:

    schedule     constant; linear: from 0 over `warmup_images`; cyclical:
                 reduced by the fraction `reduction` in the last
                 `cooldown_images` of each `period_images`, above a floor that
                 grows by the factor `growth` with each period (after Bowman et
                 al. 2016)
    adaptive     the smoothed share beta KL / total is kept in a band: above it
                 beta shrinks by `rate` per `interval_images`, below it grows
    free bits    each dimension costs at least `free_bits`, so that reducing it
                 further gains nothing (after Kingma et al. 2016, eq. 15, who
                 clip means over a batch; here each image's value)

Everything else follows from the images seen: the state is the adapted beta and
the smoothed share, stored as the two sums of which it is the ratio.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Float, Integer

from jaxgen.config.losses import KLConfig
from jaxgen.typing import Array

Scalar = Float[Array, ""]
Images = Integer[Array, ""]  # number of images seen
State = dict[str, Scalar]


def divergence(
  mean: Float[Array, "*s"], log_variance: Float[Array, "*s"]
) -> Float[Array, "*s"]:
  """The KL divergence of each dimension, in nats."""
  return (mean**2 + jnp.exp(log_variance) - 1 - log_variance) / 2


def cost(nats: Float[Array, "b *s"], free_bits: float) -> Float[Array, " b"]:
  """The divergence of each image as it enters the loss: the mean over
  dimensions, each at least `free_bits`."""
  return jnp.maximum(nats, free_bits).reshape(len(nats), -1).mean(1)


def initial_state(config: KLConfig) -> State:
  """The state before the first step: the adapted beta and the two sums of the
  smoothed share."""
  zero = jnp.zeros((), jnp.float32)
  return {"beta": zero + config.beta, "share": zero, "weight": zero}


def beta(config: KLConfig, state: State, images: Images) -> Scalar:
  """The weight of the divergence after a number of images."""
  seen = images.astype(jnp.float32) - config.start_images
  value = state["beta"]
  if config.schedule == "linear":
    value = value * jnp.clip(seen / (config.warmup_images or 1e-6), 0, 1)
  if config.schedule == "cyclical":
    position = jnp.mod(seen, config.period_images)
    cooldown = position >= config.period_images - config.cooldown_images
    value = value * (1 - config.reduction * cooldown)
  value = jnp.clip(value, floor(config, images), config.cap)
  return jnp.where(seen < 0, 0.0, value)


def floor(config: KLConfig, images: Images) -> Scalar:
  """The minimum weight after a number of images; 0 unless cyclical."""
  if config.schedule != "cyclical":
    return jnp.zeros(())
  seen = images.astype(jnp.float32) - config.start_images
  periods = jnp.maximum(jnp.floor(seen / config.period_images), 0)
  log = jnp.log(config.floor or 1e-30) + periods * jnp.log(config.growth)
  return jnp.minimum(jnp.exp(log), config.cap)


def update(
  config: KLConfig, state: State, *, share: Scalar, images: Images, batch: int
) -> State:
  """The state after a step.

  Args:
    config: the options of the controller.
    state: the state before the step.
    share: share of KL in the loss of the step.
    images: images seen before the step.
    batch: images in the step.
  """
  if not config.adaptive:
    return state
  decay = 0.5 ** (batch / config.smoothing_images)
  sum_of_shares = decay * state["share"] + (1 - decay) * share
  weight = decay * state["weight"] + (1 - decay)
  smoothed = _ratio(sum_of_shares, weight)
  up, down = smoothed < config.share_min, smoothed > config.share_max
  log = up * jnp.log1p(config.rate) + down * jnp.log1p(-config.rate)
  value = state["beta"] * jnp.exp(log * batch / config.interval_images)
  least = jnp.maximum(floor(config, images), 1e-12)
  new = {
    "beta": jnp.clip(value, least, config.cap),
    "share": sum_of_shares,
    "weight": weight,
  }
  warm = images.astype(jnp.float32) >= config.full_from
  return {k: jnp.where(warm, new[k], state[k]) for k in new}


def report(config: KLConfig, state: State, images: Images) -> State:
  """Metrics of the controller: the adapted beta before the schedule, the
  smoothed share, and the floor."""
  return {
    "kl/beta_adapted": state["beta"],
    "kl/share_smoothed": _ratio(state["share"], state["weight"]),
    "kl/floor": floor(config, images),
  }


def _ratio(share: Scalar, weight: Scalar) -> Scalar:
  """The ratio of the two sums; 0 before the first step."""
  return share / jnp.maximum(weight, 1e-12)
