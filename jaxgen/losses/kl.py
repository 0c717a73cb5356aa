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
smoothed share (as the sums whose ratio it is) are the state.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import jax.numpy as jnp

from jaxgen.config.fields import (
  NonNegative,
  NonNegativeInt,
  OpenUnit,
  Options,
  Positive,
  PositiveInt,
  Range,
)
from jaxgen.errors import UserError
from jaxgen.typing import Array

State = dict[str, Array]


def divergence(mean: Array, log_variance: Array) -> Array:
  """KL of each latent number, nats, of the shape of `mean`."""
  return (mean**2 + jnp.exp(log_variance) - 1 - log_variance) / 2


def paid(nats: Array, free_bits: float) -> Array:
  """What the loss counts of `nats` `(b, ...)`: the mean over the numbers of
  each image `(b,)`, so that beta means the same for latents of any size."""
  return jnp.maximum(nats, free_bits).reshape(len(nats), -1).mean(1)


def _smoothed(share: Array, weight: Array) -> Array:
  """The share that two sums of the state tell; 0 before the first step."""
  return share / jnp.maximum(weight, 1e-12)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KLOptions(Options, section="kl"):
  """Everything under `kl` in a config; see `jaxgen.config.defaults`."""

  beta: NonNegative = 1e-4
  schedule: Literal["constant", "linear", "cyclical"] = "constant"
  start_images: NonNegativeInt = 0
  warmup_images: NonNegativeInt = 0
  period_images: PositiveInt = 8_000
  cooldown_images: NonNegativeInt = 2_000
  reduction: Annotated[float, Range(0, 1)] = 0.25
  floor: NonNegative = 5e-5
  growth: Annotated[float, Range(1)] = 1.02
  adaptive: bool = False
  share_min: OpenUnit = 0.03
  share_max: OpenUnit = 0.08
  rate: OpenUnit = 0.1
  interval_images: PositiveInt = 1_000
  smoothing_images: PositiveInt = 5_000
  cap: Positive = 1.0
  free_bits: NonNegative = 0.0

  def __post_init__(self):
    super().__post_init__()
    if self.share_min >= self.share_max:
      raise UserError(
        f"kl.share_min={self.share_min}: less than kl.share_max="
        f"{self.share_max} is needed."
      )
    if self.cooldown_images >= self.period_images:
      raise UserError(
        f"kl.cooldown_images={self.cooldown_images}: less than "
        f"kl.period_images={self.period_images} is needed."
      )
    if self.beta > self.cap:
      raise UserError(f"kl.beta={self.beta}: at most kl.cap={self.cap}.")
    if self.adaptive and not self.beta:
      raise UserError("kl.adaptive: kl.beta has to begin above 0.")

  def begin(self) -> State:
    """The state before the first step: the beta that is adapted, and the sums
    whose ratio is the smoothed share."""
    zero = jnp.zeros((), jnp.float32)
    return {"beta": zero + self.beta, "share": zero, "weight": zero}

  def weight(self, state: State, images: Array) -> Array:
    """Beta after so many images."""
    seen = images.astype(jnp.float32) - self.start_images
    beta = state["beta"]
    if self.schedule == "linear":
      beta = beta * jnp.clip(seen / (self.warmup_images or 1e-6), 0, 1)
    if self.schedule == "cyclical":
      place = jnp.mod(seen, self.period_images)
      cool = place >= self.period_images - self.cooldown_images
      beta = beta * (1 - self.reduction * cool)
    beta = jnp.clip(beta, self.lowest(images), self.cap)
    return jnp.where(seen < 0, 0.0, beta)

  def lowest(self, images: Array) -> Array:
    """The floor under beta: none but on a cycle."""
    if self.schedule != "cyclical":
      return jnp.zeros(())
    seen = images.astype(jnp.float32) - self.start_images
    periods = jnp.maximum(jnp.floor(seen / self.period_images), 0)
    log = jnp.log(self.floor or 1e-30) + periods * jnp.log(self.growth)
    return jnp.minimum(jnp.exp(log), self.cap)

  def learn(
    self, state: State, share: Array, images: Array, batch: int
  ) -> State:
    """The state after a step of `batch` images in which KL had this share of
    the loss; `images` were seen before it."""
    if not self.adaptive:
      return state
    keep = 0.5 ** (batch / self.smoothing_images)
    kept = keep * state["share"] + (1 - keep) * share
    weight = keep * state["weight"] + (1 - keep)
    smooth = _smoothed(kept, weight)
    up, down = smooth < self.share_min, smooth > self.share_max
    log = up * jnp.log1p(self.rate) + down * jnp.log1p(-self.rate)
    beta = state["beta"] * jnp.exp(log * batch / self.interval_images)
    beta = jnp.clip(beta, jnp.maximum(self.lowest(images), 1e-12), self.cap)
    new = {"beta": beta, "share": kept, "weight": weight}
    return {k: jnp.where(self._held(images), new[k], state[k]) for k in new}

  def report(self, state: State, images: Array) -> dict[str, Array]:
    """What the controller thinks: the beta that it has come to, before the
    schedule; the smoothed share; the floor."""
    return {
      "kl/beta_adapted": state["beta"],
      "kl/share_smoothed": _smoothed(state["share"], state["weight"]),
      "kl/floor": self.lowest(images),
    }

  @property
  def settles(self) -> int:
    """Images after which the weight is whole."""
    return self.start_images + (
      self.warmup_images if self.schedule == "linear" else 0
    )

  def _held(self, images: Array) -> Array:
    """Whether the controller is at work: not before the warm-up has ended."""
    return images.astype(jnp.float32) >= self.settles
