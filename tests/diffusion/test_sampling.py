"""Properties of all samplers, and of the function that runs them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise

from jaxgen.diffusion import analytic, samplers, sigmas
from jaxgen.diffusion.edm import per_image
from jaxgen.diffusion.few_steps import NEXT_LEVEL
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.diffusion.sampling import bind, initial_noise, sample

MIXTURE = analytic.mixture((-0.6, 0.6), 0.15)
STOCHASTIC = ("edm_stochastic", "dpmpp_sde", "ddpm", "consistency")
run = jax.jit(sample, static_argnums=(0, 1))


def keys(n, seed=0):
  return jax.random.split(jax.random.key(seed), n)


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_is_a_function_of_its_key_and_start_alone(name):
  x, grid, sampler = 80 * noise((5, 8, 8, 3)), sigmas.karras(6), SAMPLERS[name]
  whole = run(sampler, MIXTURE, x, grid, keys=keys(5))
  assert jnp.isfinite(whole).all()
  for part in (slice(1, 2), slice(2, 5)):
    alone = run(sampler, MIXTURE, x[part], grid, keys=keys(5)[part])
    np.testing.assert_allclose(alone, whole[part], atol=6e-6)
  assert sampler.stochastic == (name in STOCHASTIC)
  if sampler.stochastic:
    other = run(sampler, MIXTURE, x, grid, keys=keys(5, seed=1))
    assert (jnp.abs(other - whole) > 0.01).mean() > 0.1


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_trajectory_ends_in_the_image(name):
  """And its denoised images are those that the sampler has worked with."""
  denoise, grid = analytic.gaussian(0.2, 0.5), sigmas.karras(7)
  x = 80 * noise((2, 8, 8, 1))
  plain, (same, seen) = (
    sample(SAMPLERS[name], denoise, x, grid, keys=keys(2), trajectory=both)
    for both in (False, True)
  )
  assert seen.shape == (7, *x.shape)
  np.testing.assert_allclose(same, plain, atol=1e-6)
  np.testing.assert_allclose(seen[-1], same, atol=1e-4)


CALLS = {"euler": 9, "heun": 17, "edm_stochastic": 17, "dpmpp_2m": 9}
CALLS |= {"dpmpp_sde": 17, "ddim": 9, "ddpm": 9}
CALLS |= {"consistency": 9, "flow_map": 9}


@pytest.mark.parametrize("name", SAMPLERS)
def test_calls_of_the_denoiser(name):
  count = []

  def denoise(x, sigma, cond: Any = None):
    jax.debug.callback(lambda: count.append(1))
    return 0.5 * x

  x, sampler = jnp.ones((1, 4, 4, 1)), SAMPLERS[name]
  end = run(sampler, denoise, x, sigmas.karras(9), keys=keys(1))
  jax.block_until_ready(end)
  jax.effects_barrier()
  assert len(count) == CALLS[name] == sampler.nfe(9)


@pytest.mark.parametrize("name", STOCHASTIC)
def test_noise_without_keys_is_refused(name):
  sampler = {**SAMPLERS, "ddim": samplers.ddim(eta=0.5)}[name]
  with pytest.raises(ValueError, match="keys"):
    sample(sampler, MIXTURE, jnp.ones((1, 2, 2, 1)), sigmas.ddpm(3))


def test_equal_options_are_one_program():
  x, grid = 80 * noise((1, 4, 4, 1)), sigmas.karras(3)
  traced = []

  def counted(sampler, x, grid, keys):
    traced.append(sampler)
    return sample(sampler, MIXTURE, x, grid, keys=keys)

  fresh = jax.jit(counted, static_argnums=0)
  for eta in (0.5, 0.5, 1.0):
    fresh(samplers.ddim(eta=eta), x, grid, keys(1))
  for s_churn in (40.0, 40.0, 10.0):
    sampler = samplers.edm_stochastic(s_churn=s_churn)
    fresh(sampler, x, grid, keys(1))
  assert len(traced) == 4


def test_the_first_noise_is_a_function_of_each_key():
  whole = initial_noise(keys(4), (64, 64, 3), sigma=80.0)
  assert whole.shape == (4, 64, 64, 3)
  assert np.std(whole) == pytest.approx(80.0, rel=0.01)
  alone = initial_noise(keys(4)[1:2], (64, 64, 3), sigma=80.0)
  np.testing.assert_allclose(alone, whole[1:2], rtol=1e-6)


def test_consistency_keeps_the_variance_from_any_grid():
  """The exact map of Gaussian pixels to the flow's end (Song et al. 2023,
  algorithm 1)."""
  std = 0.5

  def to_the_end(x, sigma, cond: Any = None):
    assert jnp.ndim(cond[NEXT_LEVEL]) == 1
    return x * std / jnp.hypot(std, per_image(sigma))

  x = np.hypot(std, 80.0) * noise((20, 64, 64, 1))
  for grid in ([80.0, 0.0], [80.0, 0.8, 0.0], [80.0, 9.0, 0.8, 0.0]):
    end = run(
      SAMPLERS["consistency"], to_the_end, x, np.array(grid), keys=keys(20)
    )
    assert np.std(end) == pytest.approx(std, rel=0.02)


def test_a_bound_denoiser_can_be_told_more():
  told = []

  def denoise(x, sigma, cond: Any = None):
    told.append(cond)
    return x

  x = jnp.ones((1, 2, 2, 1))
  bound = bind(denoise, {"a": 1})
  bound(x, jnp.ones(1))
  bound(x, jnp.ones(1), {"b": 2})
  bind(denoise, ({"a": 1}, {"a": 2}))(x, jnp.ones(1))  # of guidance
  assert told == [{"a": 1}, {"a": 1, "b": 2}, ({"a": 1}, {"a": 2})]
