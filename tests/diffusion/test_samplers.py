import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import analytic, sigmas, vp
from jaxgen.diffusion.samplers import SAMPLERS, calls, ddim, ddpm, euler, heun

STD, TOP = 0.5, 20.0
MEANS, WIDTH = (-0.6, 0.6), 0.15
STOCHASTIC = ("edm_stochastic", "dpmpp_sde", "ddpm")
ORDERS = {"euler": 1, "ddim": 1, "heun": 2, "dpmpp_2m": 2}


@pytest.fixture
def x64():
  with jax.enable_x64(True):
    yield


def keys(n, seed=0):
  return jax.random.split(jax.random.key(seed), n)


def noise(shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape)


def order(errors):
  return np.log2(np.array(errors[:-1]) / errors[1:])


@pytest.mark.parametrize("data", ["gaussian", "mixture"])
@pytest.mark.parametrize("name", ORDERS)
def test_order_of_convergence_to_the_exact_flow(x64, name, data):
  start = TOP * noise((4, 8, 8, 1))
  if data == "gaussian":
    denoise = analytic.gaussian(0.1, STD)
    exact = 0.1 + (start - 0.1) * STD / np.hypot(STD, TOP)
  else:
    denoise = analytic.mixture(MEANS, WIDTH)
    exact = analytic.mixture_flow(start, TOP, MEANS, WIDTH)
  errors = []
  for steps in (64, 128, 256):
    grid = sigmas.karras(steps, 1e-4, TOP)
    end = jax.jit(functools.partial(SAMPLERS[name], denoise))(start, grid)
    errors.append(np.sqrt(np.mean((end - exact) ** 2)))
  assert abs(order(errors) - ORDERS[name]).max() < 0.15


def gaussian_variance(name, grid):
  """The variance of a sampler's result on N(0, STD^2), step by step, from its
  published update; begins with the exact one at the top."""
  shrink = lambda s: STD**2 / (STD**2 + s**2)  # noqa: E731

  def jump(a, b, s, t):  # D = a x: coefficient and fresh variance
    r = (t / s) ** 2
    return r * b + (1 - r) * a, t**2 * (1 - r)

  variance = STD**2 + grid[0] ** 2
  for s, t in zip(grid[:-1], grid[1:], strict=True):
    if name == "ddpm" or t == 0:
      gain, fresh = jump(shrink(s), 1.0, s, t)
      variance = gain**2 * variance + fresh
      continue
    m = np.sqrt(s * t)
    half, n1 = jump(shrink(s), 1.0, s, m)  # to the middle, with D of the start
    k = shrink(m)
    r1, r2 = (m / s) ** 2, (t / m) ** 2
    gain = r2 * r1 + (1 - r2 * r1) * k * half
    n1_gain = r2 + (1 - r1 * r2) * k  # the first half's noise, also within D
    n2 = t**2 * (1 - r2)
    variance = gain**2 * variance + n1_gain**2 * n1 + n2
  return variance


@pytest.mark.parametrize("name", ["ddpm", "dpmpp_sde"])
def test_variance_of_the_stochastic_samplers(name):
  """Every step's gain and noise, by way of the variance of 400,000 pixels."""
  denoise = analytic.gaussian(0.0, STD)
  for steps in (4, 8):
    grid = sigmas.karras(steps, 0.05, 5.0)
    x = np.hypot(STD, grid[0]) * noise((100, 64, 64, 1))
    run = jax.jit(functools.partial(SAMPLERS[name], denoise))
    end = run(x.astype(np.float32), grid, keys=keys(100))
    want = gaussian_variance(name, grid)
    assert np.var(end) == pytest.approx(want, rel=0.01)  # 4 standard errors


def test_order_of_the_stochastic_samplers():
  """Of the variance, which is closed-form; the test above ties it to them."""
  for name, want in (("ddpm", 1), ("dpmpp_sde", 2)):
    grids = [sigmas.karras(n, 1e-4, TOP) for n in (64, 128, 256)]
    errors = [abs(gaussian_variance(name, g) - STD**2) for g in grids]
    assert abs(order(errors) - want).max() < 0.15


def test_churn_keeps_the_variance_of_a_converged_run():
  """And with the noise inflated by a factor too much it would not."""
  denoise, grid = analytic.gaussian(0.0, STD), sigmas.karras(64, 0.002, 5.0)
  x = np.hypot(STD, grid[0]) * noise((100, 32, 32, 1))
  run = functools.partial(SAMPLERS["edm_stochastic"], denoise, x, grid)
  options = {"keys": keys(100), "churn": 40.0, "low": 0.0}
  end = np.var(jax.jit(functools.partial(run, inflate=1.0, **options))())
  more = np.var(jax.jit(functools.partial(run, inflate=1.1, **options))())
  assert end == pytest.approx(STD**2, rel=0.02)
  assert more > 1.05 * STD**2


def test_no_churn_is_heun():
  denoise, grid = analytic.mixture(MEANS, WIDTH), sigmas.karras(12)
  x = jnp.asarray(80 * noise((3, 8, 8, 1)), jnp.float32)
  stochastic = SAMPLERS["edm_stochastic"]
  plain = stochastic(denoise, x, grid, keys=keys(3), churn=0.0)
  np.testing.assert_allclose(plain, heun(denoise, x, grid), atol=1e-5)


def test_ddim_without_noise_is_euler():
  denoise, grid = analytic.mixture(MEANS, WIDTH), sigmas.ddpm(25)
  x = jnp.asarray(grid[0] * noise((3, 8, 8, 1)), jnp.float32)
  one, two = ddim(denoise, x, grid), euler(denoise, x, grid)
  np.testing.assert_allclose(one, two, atol=1e-4)


def test_ddim_with_eta_1_and_all_steps_is_the_ddpm_posterior_step(x64):
  """Against the posterior of Ho et al. 2020, eq. 6 and 7, written in z_t."""
  denoise, grid = analytic.mixture(MEANS, WIDTH), sigmas.ddpm(1000)
  x = np.asarray(grid[0] * noise((2, 4, 4, 1)))
  out, seen = ddim(denoise, x, grid, keys=keys(2), trajectory=True, eta=1.0)
  again, clean = ddpm(denoise, x, grid, keys=keys(2), trajectory=True)
  np.testing.assert_allclose(seen, clean, atol=1e-9)
  np.testing.assert_allclose(out, again, atol=1e-9)
  z = x * np.sqrt(vp.ABAR[-1])
  alpha, before = 1 - vp.BETAS, np.append(1.0, vp.ABAR[:-1])
  for step, t in enumerate(range(999, -1, -1)):
    fresh = np.stack(
      [
        jax.random.normal(jax.random.fold_in(k, step), (4, 4, 1))
        for k in keys(2)
      ]
    )
    rest = 1 - vp.ABAR[t]
    mean = np.sqrt(before[t]) * vp.BETAS[t] / rest * np.asarray(clean[step])
    mean = mean + np.sqrt(alpha[t]) * (1 - before[t]) / rest * z
    z = mean + np.sqrt((1 - before[t]) / rest * vp.BETAS[t]) * fresh
  np.testing.assert_allclose(z, again, atol=1e-7)


def test_ddim_takes_normal_noise_to_the_data(x64):
  denoise, grid = analytic.gaussian(0.0, STD), sigmas.ddpm(1000)
  start = grid[0] * noise((1, 8, 8, 1))
  end = ddim(denoise, start, grid)
  np.testing.assert_allclose(end, start / grid[0] * STD, rtol=0.02)


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_is_a_function_of_its_key_and_start_alone(name):
  denoise, grid = analytic.mixture(MEANS, WIDTH), sigmas.karras(6)
  x = jnp.asarray(80 * noise((5, 8, 8, 3)), jnp.float32)
  run = jax.jit(functools.partial(SAMPLERS[name], denoise))
  whole = run(x, grid, keys=keys(5))
  assert jnp.isfinite(whole).all()
  for part in (slice(1, 2), slice(2, 5)):
    alone = run(x[part], grid, keys=keys(5)[part])
    np.testing.assert_allclose(alone, whole[part], atol=3e-6)
  if name in STOCHASTIC:
    other = run(x, grid, keys=keys(5, seed=1))
    assert (jnp.abs(other - whole) > 0.01).mean() > 0.1


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_trajectory_ends_in_the_image(name):
  """And its denoised images are those that the sampler has worked with."""
  denoise, grid = analytic.gaussian(0.2, STD), sigmas.karras(7)
  x = jnp.asarray(80 * noise((2, 8, 8, 1)), jnp.float32)
  plain = SAMPLERS[name](denoise, x, grid, keys=keys(2))
  same, seen = SAMPLERS[name](denoise, x, grid, keys=keys(2), trajectory=True)
  assert seen.shape == (7, *x.shape)
  np.testing.assert_allclose(same, plain, atol=1e-6)
  np.testing.assert_allclose(seen[-1], same, atol=1e-4)


CALLS = {"euler": 9, "heun": 17, "edm_stochastic": 17, "dpmpp_2m": 9}
CALLS |= {"dpmpp_sde": 17, "ddim": 9, "ddpm": 9}


@pytest.mark.parametrize("name", SAMPLERS)
def test_calls_of_the_denoiser(name):
  count = []

  def denoise(x, sigma):
    jax.debug.callback(lambda: count.append(1))
    return 0.5 * x

  x = jnp.ones((1, 4, 4, 1))
  run = jax.jit(functools.partial(SAMPLERS[name], denoise))
  jax.block_until_ready(run(x, sigmas.karras(9), keys=keys(1)))
  jax.effects_barrier()
  assert len(count) == CALLS[name] == calls(name, 9)


def test_noise_without_keys_is_refused():
  with pytest.raises(ValueError, match="needs keys"):
    ddim(lambda x, s: x, jnp.ones((1, 2, 2, 1)), sigmas.ddpm(3), eta=0.5)
