"""The denoiser of vectors, compared with that of a Gaussian in closed form."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.config.denoisers import MLPConfig
from jaxgen.diffusion import analytic, edm
from jaxgen.models.build import build
from jaxgen.train.transfer import transfer_params

SIZE, STEPS, BATCH = 8, 250, 128


@functools.cache
def make(**inputs) -> Any:
  options = MLPConfig(width=64, depth=2, dtype="float32")
  return build(options, resolution=1, channels=SIZE, **inputs)


def fresh(net, seed=0):
  x = jnp.zeros((1, 1, 1, SIZE))
  return jax.jit(net.init)(jax.random.key(seed), x, jnp.zeros(1))["params"]


def nonzero(params):
  shake = lambda x: x + 0.2 * np.random.default_rng(x.size).normal(size=x.shape)  # noqa: E731
  return jax.tree.map(lambda x: shake(x).astype(x.dtype), params)


def denoiser(net, params, *, noise_map=False):
  network = lambda x, c, cond: net.apply({"params": params}, x, c, cond)  # noqa: E731
  return edm.precondition(network, noise_map=noise_map)


@functools.cache
def covariance():
  """Standard deviations from 1 to 0.1 in directions of no axis, with a mean
  variance of 1 / 4."""
  axes = np.linalg.qr(np.random.default_rng(0).normal(size=(SIZE, SIZE)))[0]
  values = np.geomspace(1, 0.01, SIZE)
  return axes * (values * SIZE / 4 / values.sum()) @ axes.T


def exact(x, sigma):
  """The best denoiser of vectors of this covariance."""
  rows = analytic.correlated(covariance())(x.swapaxes(2, 3), sigma)
  return rows.swapaxes(2, 3)


def draw(key, num):
  """Vectors, noise levels, and the vectors with noise."""
  value_key, level_key, noise_key = jax.random.split(key, 3)
  root = jnp.asarray(np.linalg.cholesky(covariance()), jnp.float32)
  y = jax.random.normal(value_key, (num, SIZE)) @ root.T
  y = y[:, None, None]
  sigma = jnp.exp(-1.2 + 1.2 * jax.random.normal(level_key, (num,)))
  noise = jax.random.normal(noise_key, y.shape)
  return y, sigma, y + edm.per_image(sigma) * noise


def error(denoise, target, x, sigma):
  squares = jnp.mean((denoise(x, sigma) - target) ** 2, (1, 2, 3))
  return jnp.mean(edm.weight(sigma) * squares)


@jax.jit
def train(params):
  """The parameters after `STEPS` steps on fresh vectors."""
  tx = optax.adam(optax.cosine_decay_schedule(3e-3, STEPS))

  def loss(params, key):
    y, sigma, x = draw(key, BATCH)
    return error(denoiser(make(), params), y, x, sigma)

  def step(carry, key):
    params, state = carry
    updates, state = tx.update(jax.grad(loss)(params, key), state)
    return (optax.apply_updates(params, updates), state), None

  keys = jax.random.split(jax.random.key(1), STEPS)
  return jax.lax.scan(step, (params, tx.init(params)), keys)[0][0]


def test_a_few_hundred_steps_come_near_the_best_denoiser():
  """At first D = c_skip x, which is the best one only if all directions have
  the same variance."""
  params = fresh(make())
  _, sigma, x = draw(jax.random.key(2), 4096)
  best = exact(x, sigma)
  before = error(denoiser(make(), params), best, x, sigma)
  after = error(denoiser(make(), train(params)), best, x, sigma)
  assert before > 0.15 and after < 0.1 * before


def test_at_first_the_denoiser_is_c_skip_x():
  _, sigma, x = draw(jax.random.key(3), 5)
  skip = edm.per_image(edm.scalings(sigma).c_skip) * x
  denoise = denoiser(make(), fresh(make()))
  np.testing.assert_array_equal(denoise(x, sigma), skip)


def test_the_same_numbers_with_less_memory():
  _, sigma, x = draw(jax.random.key(4), 5)
  params = nonzero(fresh(make()))

  def loss(params, remat):
    return jnp.sum(denoiser(make(remat=remat), params)(x, sigma) ** 2)

  kept, *others = (
    jax.jit(jax.grad(functools.partial(loss, remat=remat)))(params)
    for remat in ("none", "blocks", "full")
  )
  assert all(
    jnp.abs(leaf).max() > 0 for leaf in jax.tree.leaves(kept["block_1"])
  )
  for found in others:
    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4),
      found,
      kept,
    )


def test_more_channels_and_blocks_change_nothing_at_first():
  """A condition with the shape of a vector, which weights know nothing of."""
  _, sigma, x = draw(jax.random.key(5), 5)
  plain, more = make(), make(image_conditions=(("noise_map", SIZE),))
  params = nonzero(fresh(plain))
  wider = transfer_params(params, fresh(more, 1), more.rules(plain))
  uneven = jnp.broadcast_to(edm.per_image(sigma), x.shape)
  told = denoiser(more, wider, noise_map=True)(x, uneven)
  expected = denoiser(plain, params)(x, sigma)
  np.testing.assert_allclose(told, expected, atol=1e-5)
  with pytest.raises(ValueError, match="conditions"):
    plain.rules(more)
