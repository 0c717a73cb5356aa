"""How much of a latent's distribution a small denoiser learns beyond its
Gaussian: a probe of latents for diffusion.

Losses of denoisers in different latents cannot be compared: they depend on
scales and correlations. Hence the channels of latents are whitened, and the
held-out loss of a fixed small network is divided by that of the best Gaussian
denoiser D_g (the posterior mean for Gaussian latents of the same covariance, of
all positions of a grid) on the same latents and noise. The network starts at
D_g:

    D(x, sigma) = D_g(x, sigma) + c_out(sigma) F(c_in x, c_noise)

with F = 0 at first and the coefficients and loss of EDM (Karras et al. 2022),
so that the ratio is 1 before training, and for Gaussian latents after it. A
ratio below 1 is structure that a small network finds soon; it does not say that
samples are good, nor that they are bad if it is 1; and what a network finds in
a fixed number of steps depends on its optimizer as well. Gaussians of more than
512 numbers have 512 principal axes and one variance in all other directions, so
that latents of a richer covariance have less than 1.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from jaxgen import rng
from jaxgen.evaluation import latent_probe
from jaxgen.evaluation.latent_probe import (
  P_MEAN,
  P_STD,
  Probe,
  weighted_error,
)
from jaxgen.latents.statistics import Latents
from jaxgen.parallel.precision import measured
from jaxgen.typing import Array, DenoiseFn

LEVELS = 8  # noise levels of the held-out loss


class Diffusability(NamedTuple):
  """The result of a probe.

  Attributes:
    ratio: the held-out loss in units of the Gaussian denoiser's.
    probe: the trained denoiser, which draws new latents.
    seconds: the time that it took.
  """

  ratio: float
  probe: Probe
  seconds: float


@measured
def measure(
  latents: Latents,
  held_out: Latents,
  *,
  seed: int,
  steps: int = latent_probe.STEPS,
) -> Diffusability:
  """Train a small denoiser on latents, and compare its loss on held-out ones
  with the Gaussian denoiser's.

  Args:
    latents: latents `(n, ..., c)` of training images.
    held_out: latents of held-out images.
    seed: seed of the network, the batches and the noise.
    steps: steps of the optimizer; fewer for few latents.
  """
  start = time.monotonic()
  initial = latent_probe.begin(latents, seed=seed)
  trained = latent_probe.train(
    initial, initial.states(latents), seed=seed, steps=steps
  )
  y, key = initial.states(held_out), rng.stream(seed, "probe/held_out")
  loss = jax.jit(lambda p: held_out_loss(initial.denoiser(p), y, key))
  before, after = float(loss(initial.params)), float(loss(trained.params))
  return Diffusability(after / before, trained, time.monotonic() - start)


def held_out_loss(denoise: DenoiseFn, y: Array, key: Array) -> Array:
  """The mean loss over evenly spaced quantiles of the training levels, with the
  same noise for every denoiser."""
  quantiles = (jnp.arange(LEVELS) + 0.5) / LEVELS
  levels = jnp.exp(P_MEAN + P_STD * norm.ppf(quantiles))

  def at(level: tuple[Array, Array]) -> Array:
    index, sigma = level
    noise = jax.random.fold_in(key, index)
    return weighted_error(denoise, y, jnp.full(len(y), sigma), key=noise)

  return jnp.mean(jax.lax.map(at, (jnp.arange(LEVELS), levels)))
