"""The KL divergence of posteriors, and the controller of its weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.config.losses import KLConfig
from jaxgen.losses import kl

BATCH = 100
FACES = {  # the reference's settings, an epoch being 1,000 images
  "schedule": "cyclical",
  "period_images": 8_000,
  "cooldown_images": 2_000,
  "reduction": 0.25,
  "floor": 5e-5,
  "growth": 1.02,
}


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (1.5, 0.3), (-2.0, 2.5)])
def test_divergence_is_the_expectation_of_the_log_ratio(mean, std):
  """E_q[ln q - ln p] by Gauss-Hermite quadrature, which is exact here."""
  nodes, weights = np.polynomial.hermite_e.hermegauss(20)
  z = mean + std * nodes
  log_ratio = -(nodes**2) / 2 - np.log(std) + z**2 / 2
  expected = (weights * log_ratio).sum() / weights.sum()
  found = kl.divergence(jnp.float32(mean), jnp.float32(2 * np.log(std)))
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_free_bits_are_neither_saved_nor_worth_saving():
  nats = jnp.array([[0.01, 0.3], [0.2, 0.05]])
  np.testing.assert_allclose(kl.cost(nats, 0.1), [0.2, 0.15], rtol=1e-6)
  np.testing.assert_allclose(kl.cost(nats, 0.0), [0.155, 0.125], rtol=1e-6)
  slope = jax.grad(lambda x: kl.cost(x, 0.1).sum())(nats)
  np.testing.assert_array_equal(slope, [[0, 0.5], [0.5, 0]])


def closed_loop(options, nats, rest=0.05, steps=6_000):
  """Shares and betas of a toy whose share is beta K / (beta K + R); `nats`
  gives K for beta."""

  def step(carry, i):
    state, images = carry
    beta = kl.beta(options, state, images)
    cost = beta * nats(beta, i)
    share = cost / (cost + rest)
    new = kl.update(options, state, share=share, images=images, batch=BATCH)
    return (new, images + BATCH), (share, beta, kl.floor(options, images))

  start = (kl.initial_state(options), jnp.uint32(0))
  return jax.tree.map(
    np.asarray,
    jax.jit(lambda: jax.lax.scan(step, start, jnp.arange(steps)))()[1],
  )


TOYS = {
  "constant": lambda beta, i: 3.0,
  "above": lambda beta, i: 9.0,
  "far below": lambda beta, i: 0.02,
  "elastic": lambda beta, i: 0.03 / jnp.sqrt(beta + 1e-9),
  "noisy": lambda beta, i: (
    3.0 * jnp.exp(jax.random.normal(jax.random.fold_in(jax.random.key(0), i)))
  ),
}


@pytest.mark.parametrize("toy", TOYS)
@pytest.mark.parametrize("cycle", [{}, FACES], ids=["alone", "on a cycle"])
def test_the_controller_brings_the_share_into_its_band(toy, cycle):
  """Within 600,000 images less 300,000, and keeps it there; on a cycle the
  cool-down lowers the share by a quarter at most, and the floor holds it up."""
  options = KLConfig(adaptive=True, **cycle)
  shares, betas, floors = closed_loop(options, TOYS[toy])
  late = slice(3_000, None)
  kernel = np.full(100, 0.01)  # ten thousand images
  smooth = np.convolve(shares[late], kernel, mode="valid")
  low, high = 0.03 * (0.7 if cycle else 0.93), 0.08 * 1.08
  assert smooth.max() < high
  assert smooth.min() > low
  assert (betas >= floors * (1 - 1e-6)).all()
  assert betas.max() <= options.cap


@pytest.mark.parametrize("toy", ["constant", "above", "elastic"])
def test_the_controller_does_not_swing_wider_and_wider(toy):
  _, betas, _ = closed_loop(KLConfig(adaptive=True), TOYS[toy], steps=20_000)
  log = np.log(betas)
  swing = [np.ptp(x) for x in np.split(log, 4)]
  assert swing[1] <= swing[0] + 1e-6
  assert swing[2] <= swing[1] + 1e-6
  assert swing[3] <= 1e-6  # it has come to rest inside the band


def beta_at(options):
  """The weight after so many images, in a run that adapts nothing."""
  state = kl.initial_state(options)
  return lambda images: kl.beta(options, state, jnp.asarray(images, jnp.uint32))


def test_a_cycle():
  options = KLConfig(beta=1e-3, **FACES)
  at = beta_at(options)
  np.testing.assert_allclose(at(5_999), 1e-3, rtol=1e-6)
  np.testing.assert_allclose(at(6_000), 0.75e-3, rtol=1e-6)
  np.testing.assert_allclose(at(7_999), 0.75e-3, rtol=1e-6)
  np.testing.assert_allclose(at(8_000), 1e-3, rtol=1e-6)


def test_the_floor_grows_with_each_period_and_holds_beta_up():
  options = KLConfig(beta=1e-6, **FACES)
  images = jnp.arange(0, 80_000, 500, dtype=jnp.uint32)
  floors = np.asarray(jax.vmap(lambda x: kl.floor(options, x))(images))
  assert (np.diff(floors) >= 0).all()
  np.testing.assert_allclose(
    floors[::16], 5e-5 * 1.02 ** np.arange(10), rtol=1e-5
  )
  betas = jax.vmap(beta_at(options))(images)
  np.testing.assert_allclose(betas, floors, rtol=1e-6)


def test_a_warm_up_that_starts_late():
  options = KLConfig(
    beta=1e-2, schedule="linear", start_images=1_000, warmup_images=4_000
  )
  at = beta_at(options)
  found = [at(x) for x in (0, 999, 1_000, 2_000, 5_000, 90_000)]
  np.testing.assert_allclose(found, [0, 0, 0, 2.5e-3, 1e-2, 1e-2], rtol=1e-5)


def test_nothing_is_learnt_before_the_warm_up_has_ended():
  options = KLConfig(
    adaptive=True, schedule="linear", start_images=500, warmup_images=500
  )
  state, zero = kl.initial_state(options), jnp.float32(0)
  learn = lambda images: kl.update(  # noqa: E731
    options, state, share=zero, images=images, batch=BATCH
  )
  for images in (0, 600, 999):
    same = learn(jnp.uint32(images))
    assert float(same["beta"]) == float(state["beta"])
  later = learn(jnp.uint32(1_000))
  assert float(later["beta"]) > float(state["beta"])
