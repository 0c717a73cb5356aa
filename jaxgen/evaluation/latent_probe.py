"""A small denoiser of latents: an MLP of vectors, a transformer of grids; see
`diffusability` for its form and its use."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.config.denoisers import DiTConfig, MLPConfig
from jaxgen.diffusion import edm, samplers, sampling, sigmas
from jaxgen.evaluation.small_training import Carry, SmallTraining
from jaxgen.latents.gaussian import Whitening, fit_denoiser, fit_whitening
from jaxgen.latents.statistics import Latents
from jaxgen.models.build import build as build_model
from jaxgen.typing import Array, DenoiseFn, Params

STEPS, EPOCHS = 1_600, 50  # at most
BATCH, POSITIONS = 128, 512  # vectors in a batch, positions of grids
LEAST = 8  # grids in a batch
DRAWN, LEVELS = 18, (0.002, 20.0)  # steps and noise levels of new latents
P_MEAN, P_STD = -1.2, 1.2  # of log sigma
# At higher rates noise makes the features constant before they are of use.
RATE = 0.0003


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
  """A denoiser of whitened latents.

  Attributes:
    whitening: the map of latents to those that the denoiser knows.
    gaussian: the Gaussian denoiser.
    model: the network.
    params: its parameters.
  """

  whitening: Whitening
  gaussian: DenoiseFn
  model: Any
  params: Params

  def denoiser(self, params: Params) -> DenoiseFn:
    """D_g + c_out F with parameters of F."""

    def denoise(x: Array, sigma: Array, cond: Any = None) -> Array:
      c = edm.scalings(sigma)
      scaled = edm.per_image(c.c_in) * x
      f = self.model.apply({"params": params}, scaled, c.c_noise, None, True)
      return self.gaussian(x, sigma) + edm.per_image(c.c_out) * f

    return denoise

  def states(self, latents: Latents) -> Array:
    """Whitened latents as the network takes them, `(n, h, w, c)`; vectors as
    grids of one position."""
    return _states(self.whitening, latents)

  def draw(self, num: int, shape: tuple[int, ...], *, seed: int) -> Latents:
    """New latents `(num, *shape)`, by 18 steps of Heun's method."""
    low, high = LEVELS
    grid = sigmas.karras(DRAWN, sigma_min=low, sigma_max=high)
    state = (1, 1, *shape)[-3:]  # of a vector: that of one position

    @jax.jit
    def walk(params: Params, keys: Array) -> Array:
      start = sampling.initial_noise(keys, state, sigma=high)
      return sampling.sample(samplers.heun, self.denoiser(params), start, grid)

    keys = rng.per_sample(rng.stream(seed, "probe/draw"), jnp.arange(num))
    drawn = np.asarray(walk(self.params, keys))
    return self.whitening.unwhiten(drawn.reshape(num, *shape))


def _states(whitening: Whitening, latents: Latents) -> Array:
  x = jnp.asarray(whitening.whiten(latents))
  return x[:, None, None] if x.ndim == 2 else x


def begin(latents: Latents, *, seed: int) -> Probe:
  """The probe before training: the Gaussian denoiser of latents."""
  whitening = fit_whitening(latents, std=edm.SIGMA_DATA)
  states = _states(whitening, latents)
  model = _network(*states.shape[2:])
  init = jax.jit(model.init)
  key = rng.stream(seed, "probe/parameters")
  params = init(key, states[:1], jnp.zeros(1))["params"]
  return Probe(
    whitening=whitening,
    gaussian=fit_denoiser(np.asarray(states)),
    model=model,
    params=params,
  )


def _network(side: int, channels: int) -> Any:
  """The network, of less than a million parameters."""
  options = MLPConfig(width=128, depth=3, time_frequency=16.0, dtype="float32")
  if side > 1:
    options = DiTConfig(
      patch_size=1, width=96, depth=2, time_frequency=16.0, dtype="float32"
    )
  return build_model(options, resolution=side, channels=channels)


def train(probe: Probe, states: Array, *, seed: int, steps: int) -> Probe:
  """The probe after some steps of the optimizer on whitened latents."""
  size = min(_batch(math.prod(states.shape[1:3])), len(states))
  steps = min(steps, EPOCHS * len(states) // size)
  training = SmallTraining(learning_rate=RATE, steps=steps)

  def step(carry: Carry, i: Array) -> tuple[Carry, None]:
    key = rng.stream(seed, "probe/train", i)
    return training.step(lambda params: loss(params, key), carry, i), None

  def loss(params: Params, key: Array) -> Array:
    pick, level, noise = jax.random.split(key, 3)
    y = states[jax.random.choice(pick, len(states), (size,))]
    sigma = sigmas.draw_log_normal(level, size, mean=P_MEAN, std=P_STD)
    return weighted_error(probe.denoiser(params), y, sigma, key=noise)

  start = training.start(probe.params)
  run = jax.jit(lambda start: jax.lax.scan(step, start, jnp.arange(steps))[0])
  return dataclasses.replace(probe, params=run(start)[0])


def _batch(positions: int) -> int:
  """Latents in a batch: operations do not grow with their positions."""
  return BATCH if positions == 1 else max(POSITIONS // positions, LEAST)


def weighted_error(
  denoise: DenoiseFn, y: Array, sigma: Array, *, key: Array
) -> Array:
  """The loss of Karras et al. 2022, eq. 2, with their weight."""
  x = y + edm.per_image(sigma) * jax.random.normal(key, y.shape)
  error = jnp.mean((denoise(x, sigma) - y) ** 2, (1, 2, 3))
  return jnp.mean(edm.weight(sigma) * error)
