"""The noise of a sensor: density, scores and simulator, against one another."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxgen.restoration import poisson_gaussian as noise

RATES = [0.02, 0.7, 5.0, 60.0, 3e3, 1e5]
READ = [0.2, 1.0, 5.0]
CASES = [(rate, r) for rate in RATES for r in READ]


def around(rate, r, num=41):
  """Values from the lower to the upper tail, and rates of their shape."""
  v = rate + r**2
  y = jnp.asarray(rate + np.sqrt(v) * np.linspace(-5, 5, num), jnp.float32)
  return y, jnp.full_like(y, rate)


def plain_sum(y, rate, r):
  """The density in float64, every count for which anything is left."""
  far = int(rate + 12 * np.sqrt(rate + r**2) + 30)
  k = np.arange(far)
  term = scipy.stats.poisson.logpmf(k, rate) + scipy.stats.norm.logpdf(
    np.asarray(y, np.float64)[:, None], k, r
  )
  return scipy.special.logsumexp(term, axis=1)


@pytest.mark.parametrize(("rate", "r"), CASES)
def test_the_likelihood_is_the_mixture(rate, r):
  y, rates = around(rate, r)
  found = noise.log_likelihood(y, rates, read_noise=r)
  np.testing.assert_allclose(
    found, plain_sum(y, rate, r), rtol=2e-5, atol=4e-4 + 4e-8 * rate / r**2
  )


@pytest.mark.parametrize(("rate", "r"), CASES)
def test_the_gradient_is_the_score(rate, r):
  """To 1e-6 of the score's spread, in float64."""
  with jax.enable_x64(True):
    y, rates = (np.asarray(x, np.float64) for x in around(rate, r))
    density = functools.partial(noise.log_likelihood, read_noise=r)
    total = lambda rate: density(jnp.asarray(y), rate).sum()  # noqa: E731
    slope = jax.grad(total)(jnp.asarray(rates))
    score = noise.score(jnp.asarray(y), jnp.asarray(rates), read_noise=r)
    error = np.abs(slope - score) * np.sqrt(rate + r**2)
    assert error.max() < 1e-6


@pytest.mark.parametrize("r", READ)
@pytest.mark.parametrize("rate", [0.02, 0.7, 5.0, 60.0])
def test_it_integrates_to_one(rate, r):
  edge = 12 * np.sqrt(rate + r**2) + 5
  y = jnp.asarray(np.linspace(-12 * r - 1, rate + edge, 40_001), jnp.float32)
  density = jnp.exp(
    noise.log_likelihood(y, jnp.full_like(y, rate), read_noise=r)
  )
  assert np.trapezoid(density, y) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("r", READ)
@pytest.mark.parametrize("rate", [0.7, 5.0, 60.0])
def test_simulator_and_likelihood_agree(rate, r):
  """The score has the mean 0, and Fisher's information as its variance, which
  is also minus the mean of the second derivative."""
  rates = jnp.full(200_000, rate)
  y = noise.simulate(jax.random.key(0), rates, read_noise=r)
  assert abs(y.mean() - rate) < 4 * np.sqrt((rate + r**2) / 2e5)
  found = lambda m: noise.score(y, m, read_noise=r)  # noqa: E731
  score, bend = jax.jvp(found, (rates,), (jnp.ones_like(rates),))
  assert abs(score.mean()) < 4 * score.std() / np.sqrt(2e5)
  assert float(-score.var() / bend.mean()) == pytest.approx(1, abs=0.03)


def test_the_limit_of_counts():
  """Without read noise values are counts, with the score k / rate - 1."""
  k = jnp.arange(30.0)
  rates, r = jnp.full_like(k, 8.0), 0.02
  found = noise.log_likelihood(k, rates, read_noise=r)
  want = scipy.stats.poisson.logpmf(k, 8.0) + scipy.stats.norm.logpdf(0, 0, r)
  np.testing.assert_allclose(found, want, rtol=1e-4)
  score = noise.score(k, rates, read_noise=r)
  np.testing.assert_allclose(score, k / 8 - 1, atol=1e-4)


@pytest.mark.parametrize(("rate", "r"), [(1e5, 3.0), (50.0, 60.0)])
def test_the_limit_of_gaussians(rate, r):
  y, rates = around(rate, r)
  exact = noise.log_likelihood(y, rates, read_noise=r)
  limit = noise.gaussian_log_likelihood(y, rates, read_noise=r)
  np.testing.assert_allclose(exact, limit, atol=0.1)


@pytest.mark.parametrize(("rate", "r"), [(20.0, 1.0), (200.0, 1.0), (5.0, 5.0)])
def test_the_corrected_score_is_closer(rate, r):
  """Than that of the Gaussian, of values as they occur."""
  rates = jnp.full(20_000, rate)
  y = noise.simulate(jax.random.key(0), rates, read_noise=r)
  exact = noise.score(y, rates, read_noise=r)
  error = [
    float(jnp.sqrt(jnp.mean((found(y, rates, read_noise=r) - exact) ** 2)))
    for found in (noise.gaussian_score, noise.edgeworth_score)
  ]
  assert error[1] < error[0] / 2


@pytest.mark.parametrize("found", ["gaussian_score", "edgeworth_score"])
def test_closed_scores_are_gradients(found):
  r = 1.5

  def density(y, rate):
    plain = noise.gaussian_log_likelihood(y, rate, read_noise=r)
    z = (y - rate) / jnp.sqrt(rate + r**2)
    skew = rate / (6 * (rate + r**2) ** 1.5) * (z**3 - 3 * z)
    return (plain + skew * (found == "edgeworth_score")).sum()

  y, rates = around(9.0, r)
  want = jax.grad(density, 1)(y, rates)
  score = getattr(noise, found)(y, rates, read_noise=r)
  np.testing.assert_allclose(score, want, atol=1e-4)


def test_a_variance_read_off_the_data_is_biased():
  """Means weighted by 1 / (y + r^2) are too low, by nearly 1 electron; weighted
  by the variance of the rate they are not."""
  rates, r = jnp.full(200_000, 10.0), 1.0
  y = noise.simulate(jax.random.key(0), rates, read_noise=r)
  weighted = lambda v: float((y / v).sum() / (1 / v).sum())  # noqa: E731
  right = weighted(noise.variance(rates, read_noise=r))
  assert right == pytest.approx(10.0, abs=0.03)
  read_off = noise.variance(jnp.maximum(y, 0.0), read_noise=r)
  assert weighted(read_off) < 10.0 - 0.7


def test_read_noise_may_differ_from_pixel_to_pixel():
  y, rates = around(7.0, 1.0, num=6)
  r = np.linspace(0.5, 3.0, 6)
  found = noise.log_likelihood(y, rates, read_noise=r)
  for i in range(6):
    alone = noise.log_likelihood(
      y[i : i + 1], rates[i : i + 1], read_noise=r[i]
    )
    np.testing.assert_allclose(found[i : i + 1], alone, rtol=1e-5)
  with pytest.raises(ValueError, match="read_noise"):
    noise.log_likelihood(y, rates, read_noise=0.0)
