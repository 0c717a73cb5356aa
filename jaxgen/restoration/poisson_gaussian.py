"""The noise of a sensor: counted photons, and Gaussian read noise.

    y = Poisson(rate) + N(0, r^2)

Everything is in electrons. The density of a value is a sum over the count,

    p(y | rate) = sum_k Poisson(k; rate) N(y; k, r^2),

whose terms have one peak and fall faster than a Gaussian of deviation r around
it: a window of counts around the peak is the whole sum, at any rate.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Float, Key

from jaxgen.typing import Array

Values = Float[Array, "*m"]
ReadNoise = float | np.ndarray  # electrons, a number or one of each value
DEVIATIONS = 8  # half the window of counts, in multiples of r
FEW = 16  # up to this count the factorial is computed, beyond it approximated
FLOOR = 1e-6  # lowest rate, in electrons


def simulate(
  key: Key[Array, ""], rate: Values, *, read_noise: ReadNoise
) -> Values:
  """Random values of the rates."""
  count_key, read_key = jax.random.split(key)
  counts = jax.random.poisson(count_key, rate).astype(rate.dtype)
  noise = jax.random.normal(read_key, rate.shape)
  return counts + _spread(read_noise, rate) * noise


def log_likelihood(
  values: Values, rate: Values, *, read_noise: ReadNoise
) -> Values:
  """The logarithm of the density of each value, in nats."""
  return _sums(values, rate, read_noise=read_noise)[0]


def score(values: Values, rate: Values, *, read_noise: ReadNoise) -> Values:
  """The derivative of the log-likelihood by the rate: E[k | y] / rate - 1."""
  _, offset = _sums(values, rate, read_noise=read_noise)
  return offset / jnp.maximum(rate, FLOOR)


def variance(rate: Values, *, read_noise: ReadNoise) -> Values:
  """The variance of values, rate + r^2; no rate is below 0."""
  return jnp.maximum(rate, 0.0) + _spread(read_noise, rate) ** 2


def gaussian_log_likelihood(
  values: Values, rate: Values, *, read_noise: ReadNoise
) -> Values:
  """The log-density of N(rate, rate + r^2), the limit of many photons."""
  v = variance(rate, read_noise=read_noise)
  return -((values - rate) ** 2 / v + jnp.log(2 * jnp.pi * v)) / 2


def gaussian_score(
  values: Values, rate: Values, *, read_noise: ReadNoise
) -> Values:
  """The derivative of `gaussian_log_likelihood` by the rate."""
  v, error = variance(rate, read_noise=read_noise), values - rate
  return error / v + (error**2 / v - 1) / (2 * v)


def edgeworth_score(
  values: Values, rate: Values, *, read_noise: ReadNoise
) -> Values:
  """The score of the Gaussian limit corrected for the skewness of counts: the
  derivative of log N + rate (z^3 - 3 z) / (6 v^1.5), z = (y - rate) / v^0.5,
  the first term of Edgeworth's series."""
  v, e = variance(rate, read_noise=read_noise), values - rate
  shape = e**3 / v**3 - 3 * e / v**2
  slope = 3 / v**2 - 3 * e**2 / v**3 + 6 * e / v**3 - 3 * e**3 / v**4
  plain = gaussian_score(values, rate, read_noise=read_noise)
  return plain + (shape + rate * slope) / 6


def _spread(read_noise: ReadNoise, like: Values) -> Values:
  """The read noise of each value."""
  return jnp.broadcast_to(jnp.asarray(read_noise, like.dtype), like.shape)


def _sums(
  values: Values, rate: Values, *, read_noise: ReadNoise
) -> tuple[Values, Values]:
  """The log-density, and the expectation of k - rate given the value."""
  if not np.all(np.asarray(read_noise) > 0):
    raise ValueError(f"read_noise: expected above 0, got {np.min(read_noise)}")
  rate, spread = jnp.maximum(rate, FLOOR), _spread(read_noise, rate)
  fixed = jax.lax.stop_gradient(rate)
  center = jnp.round(_peak(values, fixed, spread=spread))
  top = _log_term(center, values, rate, spread=spread)
  half = int(np.ceil(DEVIATIONS * np.max(read_noise))) + 2

  def add(
    totals: tuple[Values, Values], step: Array
  ) -> tuple[tuple[Values, Values], None]:
    term = _log_term(center + step, values, rate, spread=spread)
    weight = jnp.exp(term - top)
    return (totals[0] + weight, totals[1] + weight * step), None

  steps = jnp.arange(-half, half + 1, dtype=rate.dtype)
  zeros = jnp.zeros_like(rate)
  (total, moment), _ = jax.lax.scan(add, (zeros, zeros), steps)
  return top + jnp.log(total), moment / total + (center - rate)


def _peak(values: Values, rate: Values, *, spread: Values) -> Values:
  """The count with the largest term, about: where log((k + 1/2) / rate) =
  (y - k) / r^2, by Newton's method in u = log(k + 1/2), from above."""

  def step(_: Array, u: Values) -> Values:
    k = jnp.exp(u)
    error = u - jnp.log(rate) + (k - 0.5 - values) / spread**2
    return u - error / (1 + k / spread**2)

  start = jnp.log(jnp.maximum(rate, values + 0.5))
  u = jax.lax.fori_loop(0, 30, step, start)
  return jnp.maximum(jnp.exp(u) - 0.5, 0.0)


def _log_term(
  k: Values, values: Values, rate: Values, *, spread: Values
) -> Values:
  """log Poisson(k; rate) + log N(y; k, r^2); -inf for k < 0."""
  z = (values - k) / spread
  read = -(z**2) / 2 - jnp.log(spread) - np.log(2 * np.pi) / 2
  return jnp.where(k < 0, -jnp.inf, read + _log_poisson(jnp.abs(k), rate))


def _log_poisson(k: Values, rate: Values) -> Values:
  """log Poisson(k; rate); for many photons without the cancellation of large
  terms (Loader 2000, "Fast and accurate computation of binomial
  probabilities")."""
  exact = k * jnp.log(rate) - rate - gammaln(k + 1)
  n = jnp.maximum(k, FEW)
  d = (rate - n) / n
  stirling = 1 / (12 * n) - 1 / (360 * n**3)
  many = n * (jnp.log1p(d) - d) - stirling - jnp.log(2 * np.pi * n) / 2
  return jnp.where(k < FEW, exact, many)
