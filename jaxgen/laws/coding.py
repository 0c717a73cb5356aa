"""Laws of variational autoencoders, their losses and scores."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.losses import KLConfig
from jaxgen.laws.law import law
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
  return float(divergence(jnp.float32(MEAN), jnp.float32(2 * np.log(STD))))


def _quadrature() -> float:
  """E[ln q(z) - ln p(z)] by Gauss and Hermite's rule, exact for polynomials."""
  nodes, weights = np.polynomial.hermite_e.hermegauss(20)
  log_ratio = ((MEAN + STD * nodes) ** 2 - nodes**2) / 2 - np.log(STD)
  return float((weights * log_ratio).sum() / weights.sum())


def _variance() -> float:
  """Of draws from one posterior."""
  shape = (16_384, 2)
  log_variance = jnp.full(shape, 2 * np.log(STD))
  keys = jax.random.split(jax.random.key(0), shape[0])
  return float(draw(jnp.full(shape, MEAN), log_variance, keys).var())


def _share() -> float:
  """Of KL in the loss, once the controller has had its time."""
  config = KLConfig(adaptive=True)

  def step(state, i):
    images = jnp.uint32(BATCH) * i.astype(jnp.uint32)
    cost = 5.0 * kl.beta(config, state, images)
    share = cost / (cost + 0.05)
    new = kl.update(config, state, share=share, images=images, batch=BATCH)
    return new, share

  run = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(2_000)))
  return float(run(kl.initial_state(config))[1][-1])


def _floor() -> float:
  """After ten periods of a cycle."""
  config = KLConfig(schedule="cyclical", beta=1e-6)
  images = jnp.uint32(10 * config.period_images)
  return float(kl.beta(config, kl.initial_state(config), images))


def _active() -> float:
  """Units of five of which three say something."""
  rng = np.random.default_rng(0)
  mean = rng.normal(size=(512, 5)) * np.array([1.0, 0.0, 0.5, 0.0, 2.0])
  mean = jnp.asarray(mean, jnp.float32)
  each = traits(mean, divergence(mean, jnp.zeros_like(mean)))
  means = {k: np.asarray(v).mean(0) for k, v in each.items()}
  return summary(means)["kl/active_units"]


def _entropy() -> float:
  """Of labels about which nothing is known, a third of them left out."""
  labels = jnp.array([[0, 4, 255, 2, 1, -1]])
  return float(cross_entropy(jnp.zeros((1, 6, 5)), labels)[0])


def _charbonnier() -> float:
  """Beside L1, for differences that are large against its eps."""
  x = jnp.linspace(1, 2, 48).reshape(1, 4, 4, 3)
  return float(charbonnier(x, -x)[0] - l1(x, -x)[0])


def _ssim() -> float:
  x = jax.random.uniform(jax.random.key(0), (1, 16, 16, 1), minval=-1)
  return float(ssim(x, x)[0])


VAE = "Kingma and Welling 2014"
BAND = KLConfig()
LAWS = (
  law("divergence of a Gaussian", VAE, _quadrature(), 1e-5, _divergence),
  law("variance of draws from a posterior", VAE, STD**2, 3e-3, _variance),
  law(
    "free bits are paid",
    "after Kingma et al. 2016, eq. 15",
    0.2,
    1e-6,
    lambda: float(kl.cost(jnp.array([[0.01, 0.3]]), 0.1)[0]),
  ),
  law(
    "share of KL under control",
    "the band's middle and half width",
    (BAND.share_min + BAND.share_max) / 2,
    (BAND.share_max - BAND.share_min) / 2,
    _share,
  ),
  law(
    "floor of beta after 10 periods",
    "5e-5 x 1.02^10",
    6.0949721e-5,
    1e-9,
    _floor,
  ),
  law("active units", "Burda et al. 2016", 3, 0, _active),
  law("entropy of five labels", "ln 5", float(np.log(5)), 1e-6, _entropy),
  law("1 - SSIM of an image and itself", "0", 0, 1e-6, _ssim),
  law(
    "Charbonnier less L1, far apart", "-eps = -0.001", -1e-3, 1e-6, _charbonnier
  ),
  law(
    "IoU of one half",
    "(1/3 + 1/3) / 2",
    1 / 3,
    1e-9,
    lambda: mean_iou(np.array([[1.0, 1.0], [1.0, 1.0]])),
  ),
)
