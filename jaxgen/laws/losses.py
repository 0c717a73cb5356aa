"""Laws of the losses and scores of autoencoders."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.losses import KLConfig
from jaxgen.laws.law import Law
from jaxgen.losses import kl
from jaxgen.losses.kl import divergence
from jaxgen.losses.labels import cross_entropy
from jaxgen.losses.reconstruction import charbonnier, l1, ssim
from jaxgen.metrics.segmentation import mean_iou
from jaxgen.metrics.vae import summary, traits
from jaxgen.tasks.reconstruction import draw

MEAN, STD = 1.5, 0.3
BATCH = 100


def _divergence() -> float:
  """KL divergence of a Gaussian from the standard normal."""
  return float(divergence(jnp.float32(MEAN), jnp.float32(2 * np.log(STD))))


def _quadrature() -> float:
  """E[ln q(z) - ln p(z)] by Gauss-Hermite quadrature, exact for polynomials."""
  nodes, weights = np.polynomial.hermite_e.hermegauss(20)
  log_ratio = ((MEAN + STD * nodes) ** 2 - nodes**2) / 2 - np.log(STD)
  return float((weights * log_ratio).sum() / weights.sum())


def _posterior_variance() -> float:
  """Variance of samples of a posterior."""
  shape = (16_384, 2)
  log_variance = jnp.full(shape, 2 * np.log(STD))
  keys = jax.random.split(jax.random.key(0), shape[0])
  return float(draw(jnp.full(shape, MEAN), log_variance, keys).var())


def _controlled_share() -> float:
  """Share of the KL term in the loss after 2,000 steps of the controller."""
  config = KLConfig(adaptive=True)

  def step(state, i):
    images = jnp.uint32(BATCH) * i.astype(jnp.uint32)
    cost = 5.0 * kl.beta(config, state, images)
    share = cost / (cost + 0.05)
    new = kl.update(config, state, share=share, images=images, batch=BATCH)
    return new, share

  run = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(2_000)))
  return float(run(kl.initial_state(config))[1][-1])


def _cyclical_beta() -> float:
  """Weight of the cyclical schedule after ten periods."""
  config = KLConfig(schedule="cyclical", beta=1e-6)
  images = jnp.uint32(10 * config.period_images)
  return float(kl.beta(config, kl.initial_state(config), images))


def _active_units() -> float:
  """Number of active units among five latent dimensions, three of which
  vary."""
  rng = np.random.default_rng(0)
  mean = rng.normal(size=(512, 5)) * np.array([1.0, 0.0, 0.5, 0.0, 2.0])
  mean = jnp.asarray(mean, jnp.float32)
  scores = traits(mean, divergence(mean, jnp.zeros_like(mean)))
  means = {k: np.asarray(v).mean(0) for k, v in scores.items()}
  return summary(means)["kl/active_units"]


def _cross_entropy() -> float:
  """Cross-entropy of uniform logits; a third of the labels is missing."""
  labels = jnp.array([[0, 4, 255, 2, 1, -1]])
  return float(cross_entropy(jnp.zeros((1, 6, 5)), labels)[0])


def _charbonnier_difference() -> float:
  """Charbonnier loss minus L1, for differences far above its epsilon."""
  x = jnp.linspace(1, 2, 48).reshape(1, 4, 4, 3)
  return float(charbonnier(x, -x)[0] - l1(x, -x)[0])


def _ssim_loss() -> float:
  """SSIM loss between an image and itself."""
  x = jax.random.uniform(jax.random.key(0), (1, 16, 16, 1), minval=-1)
  return float(ssim(x, x)[0])


VAE = "Kingma and Welling 2014"
CONTROL = KLConfig()
LAWS = (
  Law(
    name="KL divergence of a Gaussian",
    source=VAE,
    expected=_quadrature(),
    tolerance=1e-5,
    measure=_divergence,
  ),
  Law(
    name="variance of samples of a posterior",
    source=VAE,
    expected=STD**2,
    tolerance=3e-3,
    measure=_posterior_variance,
  ),
  Law(
    name="cost of 0.01 and 0.3 nats with 0.1 free bits",
    source="after Kingma et al. 2016, eq. 15",
    expected=0.2,
    tolerance=1e-6,
    measure=lambda: float(kl.cost(jnp.array([[0.01, 0.3]]), 0.1)[0]),
  ),
  Law(
    name="controlled share of the KL term",
    source="middle and half width of the band",
    expected=(CONTROL.share_min + CONTROL.share_max) / 2,
    tolerance=(CONTROL.share_max - CONTROL.share_min) / 2,
    measure=_controlled_share,
  ),
  Law(
    name="cyclical beta after 10 periods",
    source="5e-5 x 1.02^10",
    expected=6.0949721e-5,
    tolerance=1e-9,
    measure=_cyclical_beta,
  ),
  Law(
    name="active units",
    source="Burda et al. 2016",
    expected=3,
    tolerance=0,
    measure=_active_units,
  ),
  Law(
    name="cross-entropy of uniform logits of 5 classes",
    source="ln 5",
    expected=float(np.log(5)),
    tolerance=1e-6,
    measure=_cross_entropy,
  ),
  Law(
    name="1 - SSIM of an image and itself",
    source="0",
    expected=0,
    tolerance=1e-6,
    measure=_ssim_loss,
  ),
  Law(
    name="Charbonnier loss - L1 of large differences",
    source="-epsilon = -0.001",
    expected=-1e-3,
    tolerance=1e-6,
    measure=_charbonnier_difference,
  ),
  Law(
    name="mean IoU of a confusion of ones",
    source="(1/3 + 1/3) / 2",
    expected=1 / 3,
    tolerance=1e-9,
    measure=lambda: mean_iou(np.array([[1.0, 1.0], [1.0, 1.0]])),
  ),
)
