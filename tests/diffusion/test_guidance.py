import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import analytic
from jaxgen.diffusion.edm import per_image
from jaxgen.diffusion.guidance import autoguidance, compose, drop_conditions

SIGMA = jnp.array([0.1, 0.5, 2.0, 10.0])
X = jax.random.normal(jax.random.key(0), (4, 8, 8, 1))


def toy(x, sigma, cond: Any = None):
  """Outputs that identify their condition."""
  a, b = cond["a"], cond["b"]
  push = jnp.where(a < 0, 0.0, 1.0 + a) + jnp.where(b < 0, 0.0, 10.0 * (1 + b))
  return 0.5 * x + per_image(push)


def cond(a, b):
  return {"a": jnp.full(4, a), "b": jnp.full(4, b)}


NOTHING, BOTH = cond(-1, -1), cond(2, 1)


def test_weight_1_is_conditional_and_0_is_not():
  for weight, want in ((1.0, BOTH), (0.0, NOTHING)):
    guided = compose(toy, weights=[weight])(X, SIGMA, [NOTHING, BOTH])
    np.testing.assert_allclose(guided, toy(X, SIGMA, want), atol=1e-6)
  same = compose(toy, weights=[7.0])(X, SIGMA, [NOTHING, NOTHING])
  np.testing.assert_array_equal(same, toy(X, SIGMA, NOTHING))


def test_the_convention_is_u_plus_w_times_the_difference():
  guided = compose(toy, weights=[3.0])(X, SIGMA, [NOTHING, BOTH])
  u, c = toy(X, SIGMA, NOTHING), toy(X, SIGMA, BOTH)
  np.testing.assert_allclose(guided, u + 3 * (c - u), rtol=1e-6)


def test_each_attribute_has_its_weight_and_may_be_missing():
  apart = [NOTHING, cond(2, -1), cond(-1, 1)]
  guided = compose(toy, weights=[2.0, 0.5])(X, SIGMA, apart)
  np.testing.assert_allclose(guided, 0.5 * X + 2 * 3 + 0.5 * 20, 1e-6)
  each = jnp.arange(4.0)
  guided = compose(toy, weights=[each])(X, SIGMA, apart[:2])
  np.testing.assert_allclose(guided, 0.5 * X + per_image(each * 3), 1e-6)


def test_outside_of_the_interval_nothing_is_guided():
  inside = compose(toy, weights=[3.0], interval=(0.1, 2.0))
  guided = inside(X, SIGMA, [NOTHING, BOTH])
  plain = toy(X, SIGMA, BOTH)
  changed = jnp.abs(guided - plain).max(axis=(1, 2, 3)) > 1e-4
  assert changed.tolist() == [False, True, True, False]


def test_one_call_of_the_denoiser_for_all_answers():
  calls = []

  def counting(x, sigma, cond: Any = None):
    calls.append(x.shape[0])
    return toy(x, sigma, cond)

  guided = compose(counting, weights=[2.0, 2.0])
  guided(X, SIGMA, [NOTHING, BOTH, BOTH])
  assert calls == [12]


def test_composed_attributes_give_the_composed_score():
  """Pixels are a sum of two independent attributes' Gaussians: four classes in
  a 2 x 2 grid of means. On products of such densities the composition rule is
  exact: p(x) prod_k p(x|k) / p(x)."""
  std, first, second = 0.3, jnp.array([-0.5, 0.5]), jnp.array([-0.2, 0.2])

  def denoise(x, sigma, cond: Any = None):
    """x (b, 1, 1, 2): each attribute moves a channel of its own."""
    s = per_image(sigma)

    def channel(x, means, label):
      known = jnp.where(label >= 0, means[jnp.maximum(label, 0)], 0.0)
      exact = analytic.gaussian(0.0, std)(x - per_image(known), sigma)
      free = analytic.mixture(means.tolist(), std)(x, sigma)
      return jnp.where(
        per_image(label) >= 0, exact + per_image(known), free + 0 * s
      )

    return jnp.concatenate(
      [
        channel(x[..., :1], first, cond["a"]),
        channel(x[..., 1:], second, cond["b"]),
      ],
      axis=-1,
    )

  x = jax.random.normal(jax.random.key(0), (4, 1, 1, 2))
  apart = [NOTHING, cond(1, -1), cond(-1, 0)]
  composed = compose(denoise, weights=[1.0, 1.0])(x, SIGMA, apart)
  want = denoise(x, SIGMA, cond(1, 0))
  np.testing.assert_allclose(composed, want, atol=1e-5)


def test_autoguidance_goes_away_from_the_weak_denoiser():
  good = analytic.gaussian(0.0, 0.5)
  weak = analytic.gaussian(0.3, 0.7)
  one = autoguidance(good, weak, weight=1.0)(X, SIGMA)
  np.testing.assert_array_equal(one, good(X, SIGMA))
  two = autoguidance(good, weak, weight=2.0)(X, SIGMA)
  want = weak(X, SIGMA) + 2 * (good(X, SIGMA) - weak(X, SIGMA))
  np.testing.assert_allclose(two, want, atol=1e-6)
  nowhere = autoguidance(good, weak, weight=2.0, interval=(50.0, 60.0))
  outside = nowhere(X, SIGMA)
  np.testing.assert_array_equal(outside, good(X, SIGMA))
  assert jnp.abs(two - outside).max() > 0.01


def test_weights_and_conditions_go_together():
  guided = compose(toy, weights=[1.0, 2.0])
  for cond in (None, [NOTHING, BOTH]):
    with pytest.raises(ValueError, match="cond"):
      guided(X, SIGMA, cond)


def test_conditions_are_dropped_in_every_combination():
  cond = {k: jnp.ones(20_000, int) for k in ("a", "b", "c")}
  drop = functools.partial(drop_conditions, jax.random.key(0))
  found = np.stack([*drop(cond, drop_prob=0.4).values()])
  assert set(np.unique(found)) == {-1, 1}
  gone = found == -1
  patterns, counts = np.unique(gone.T, axis=0, return_counts=True)
  assert len(patterns) == 8 and counts.min() > 100
  # untouched: 1 - 0.4, and of the rest the integral of (1 - r)^3: a quarter
  shares = (~gone).all(0).mean(), gone.all(0).mean(), gone[0].mean()
  np.testing.assert_allclose(shares, (0.7, 0.1, 0.2), atol=0.01)
  assert drop({}, drop_prob=0.4) == {}
  same = drop(cond, drop_prob=0.0)
  assert all((v == 1).all() for v in same.values())
