"""Adaptive weights of domains."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.losses import domains


def after(losses, steps=1, batch=60):
  """The state after steps with equal shares of domains."""
  state = domains.initial_state(len(losses))
  labels = jnp.arange(batch) % len(losses)
  values = jnp.asarray(losses, jnp.float32)[labels]
  for _ in range(steps):
    sums = domains.sums(values, labels, len(losses))
    state = domains.update(state, sums, batch=batch)
  return state


def test_weights_follow_the_losses_with_a_mean_of_one():
  found = domains.weights(after([1.0, 2.0, 3.0]))
  np.testing.assert_allclose(found, [0.5, 1.0, 1.5], rtol=1e-5)
  equal = domains.weights(after([0.2, 0.2, 0.2], steps=20))
  np.testing.assert_allclose(equal, 1, rtol=1e-5)


@pytest.mark.parametrize("losses", [[1e-9, 1.0, 1e6], [0.0, 0.0, 0.0]])
def test_weights_are_bounded(losses):
  found = np.asarray(domains.weights(after(losses)))
  assert np.isfinite(found).all() and found.mean() == pytest.approx(1)
  assert found.max() / found.min() <= domains.BOUND**2 * (1 + 1e-6)


def test_before_the_first_step_and_without_a_domain_weights_are_the_mean():
  np.testing.assert_array_equal(domains.weights(domains.initial_state(3)), 1)
  labels = jnp.array([0, 0, 1])
  sums = domains.sums(jnp.array([2.0, 2.0, 4.0]), labels, 3)
  state = domains.update(domains.initial_state(3), sums, batch=3)
  np.testing.assert_allclose(
    domains.weights(state), np.array([2, 4, 3]) / 3, rtol=1e-6
  )


def test_sums_of_microbatches_are_those_of_the_batch():
  rng = np.random.default_rng(0)
  loss = jnp.asarray(rng.uniform(size=12), jnp.float32)
  labels = jnp.asarray(rng.integers(-1, 3, 12))
  whole = domains.sums(loss, labels, 3)
  parts = [domains.sums(loss[i::3], labels[i::3], 3) for i in range(3)]
  for kind, values in whole.items():
    mean = sum(part[kind] for part in parts) / 3
    np.testing.assert_allclose(mean, values, rtol=1e-6)


def test_images_without_a_label_weigh_one():
  found = domains.image_weights(jnp.array([2.0, 0.5]), jnp.array([1, -1, 0]))
  assert found.tolist() == [0.5, 1.0, 2.0]
