import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import analytic, samplers, sigmas, vp
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.diffusion.sampling import sample

STD, TOP = 0.5, 20.0
MEANS, WIDTH = (-0.6, 0.6), 0.15
ORDERS = {"euler": 1, "ddim": 1, "heun": 2, "dpmpp_2m": 2}


@pytest.fixture
def x64():
  with jax.enable_x64(True):
    yield


def keys(n, seed=0):
  return jax.random.split(jax.random.key(seed), n)


def noise(shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape)


run = jax.jit(sample, static_argnums=(0, 1))


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
    exact = analytic.mixture_flow(start, TOP, means=MEANS, std=WIDTH)
  errors = []
  for steps in (64, 128, 256):
    grid = sigmas.karras(steps, sigma_min=1e-4, sigma_max=TOP)
    end = run(SAMPLERS[name], denoise, start, grid)
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
    grid = sigmas.karras(steps, sigma_min=0.05, sigma_max=5.0)
    x = np.float32(np.hypot(STD, grid[0]) * noise((100, 64, 64, 1)))
    end = run(SAMPLERS[name], denoise, x, grid, keys=keys(100))
    want = gaussian_variance(name, grid)
    assert np.var(end) == pytest.approx(want, rel=0.01)  # 4 standard errors


def test_order_of_the_stochastic_samplers():
  """Of the variance, which is closed-form; the test above ties it to them."""
  for name, want in (("ddpm", 1), ("dpmpp_sde", 2)):
    grids = [
      sigmas.karras(n, sigma_min=1e-4, sigma_max=TOP) for n in (64, 128, 256)
    ]
    errors = [abs(gaussian_variance(name, g) - STD**2) for g in grids]
    assert abs(order(errors) - want).max() < 0.15


def test_churn_keeps_the_variance_of_a_converged_run():
  """And with the noise inflated by a factor too much it would not."""
  denoise = analytic.gaussian(0.0, STD)
  grid = sigmas.karras(64, sigma_min=0.002, sigma_max=5.0)
  x = np.hypot(STD, grid[0]) * noise((100, 32, 32, 1))
  end, more = (
    np.var(run(sampler, denoise, x, grid, keys=keys(100)))
    for sampler in (
      samplers.edm_stochastic(s_churn=40.0, s_tmin=0.0, s_noise=s_noise)
      for s_noise in (1.0, 1.1)
    )
  )
  assert end == pytest.approx(STD**2, rel=0.02)
  assert more > 1.05 * STD**2


def test_no_churn_is_heun():
  denoise, grid = analytic.mixture(MEANS, WIDTH), sigmas.karras(12)
  x = jnp.asarray(80 * noise((3, 8, 8, 1)), jnp.float32)
  none = samplers.edm_stochastic(s_churn=0.0)
  plain = sample(none, denoise, x, grid, keys=keys(3))
  want = sample(samplers.heun, denoise, x, grid)
  np.testing.assert_allclose(plain, want, atol=1e-5)


def test_the_first_step_of_dpmpp_2m_is_of_first_order():
  denoise, x = analytic.mixture(MEANS, WIDTH), 80 * noise((3, 8, 8, 1))
  one, two = (
    sample(sampler, denoise, jnp.float32(x), np.array([80.0, 3.0]))
    for sampler in (samplers.dpmpp_2m, samplers.euler)
  )
  np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


def test_ddim_without_noise_is_euler():
  denoise, grid = analytic.mixture(MEANS, WIDTH), sigmas.ddpm(25)
  x = jnp.asarray(grid[0] * noise((3, 8, 8, 1)), jnp.float32)
  one, two = (
    sample(sampler, denoise, x, grid)
    for sampler in (samplers.ddim(), samplers.euler)
  )
  np.testing.assert_allclose(one, two, atol=1e-4)


def test_ddim_with_eta_1_and_all_steps_is_the_ddpm_posterior_step(x64):
  """Against the posterior of Ho et al. 2020, eq. 6 and 7, written in z_t."""
  denoise, grid = analytic.mixture(MEANS, WIDTH), sigmas.ddpm(1000)
  x = np.asarray(grid[0] * noise((2, 4, 4, 1)))
  (out, seen), (again, clean) = (
    sample(sampler, denoise, x, grid, keys=keys(2), trajectory=True)
    for sampler in (samplers.ddim(eta=1.0), samplers.ddpm)
  )
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
  end = sample(samplers.ddim(), denoise, start, grid)
  np.testing.assert_allclose(end, start / grid[0] * STD, rtol=0.02)
