"""Forward passes, training steps and sampling of jaxgen's networks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import optax

from jaxgen.diffusion import edm, samplers, sampling, sigmas
from peers.cases import Case
from peers.timing import Seconds, timed

LEARNING_RATE = 1e-4
SIGMAS = sigmas.karras(18)
SAMPLER = samplers.heun
CALLS = SAMPLER.nfe(len(SIGMAS) - 1)  # denoiser calls

Call = Callable[[], Seconds]


def forward(case: Case) -> Call:
  """The forward pass."""
  held = jax.device_put((case.weights(), *case.inputs()))
  run = jax.jit(lambda *held: case.predict(*held))  # traced for each caller
  return functools.partial(timed, lambda: jax.block_until_ready(run(*held)))


def train(case: Case) -> Call:
  """The training step: the gradient, and an update by Adam."""
  inputs = jax.device_put(case.inputs())
  tx = optax.adam(LEARNING_RATE)

  @functools.partial(jax.jit, donate_argnums=(0, 1))
  def step(params: Any, state: Any, *inputs: jax.Array) -> Any:
    gradient = jax.grad(case.loss)(params, *inputs)
    updates, state = tx.update(gradient, state)
    return optax.apply_updates(params, updates), state

  params = jax.device_put(case.weights())
  held = [params, jax.jit(tx.init)(params)]

  def call() -> None:
    held[:] = step(*held, *inputs)
    jax.block_until_ready(held)

  return functools.partial(timed, call)


def sample(case: Case) -> Call:
  """Images from noise, by Heun's method in 18 steps."""
  params, x, _ = jax.device_put((case.weights(), *case.inputs()))
  x = SIGMAS[0] * 2 * x

  @jax.jit
  def run(params: Any, x: jax.Array) -> jax.Array:
    return sampling.sample(SAMPLER, _denoiser(case, params), x, SIGMAS)

  return functools.partial(timed, lambda: jax.block_until_ready(run(params, x)))


def denoiser_calls(case: Case) -> Call:
  """As many calls of the denoiser as `sample` makes, one by one."""
  held = jax.device_put((case.weights(), *case.inputs()))

  @jax.jit
  def run(params: Any, x: jax.Array, noise: jax.Array) -> jax.Array:
    return _denoiser(case, params)(x, abs(noise) + 0.1)

  def call() -> None:
    for _ in range(CALLS):
      jax.block_until_ready(run(*held))

  return functools.partial(timed, call)


def _denoiser(case: Case, params: Any) -> Any:
  return edm.precondition(functools.partial(case.network.apply, params))
