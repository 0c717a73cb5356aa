"""The discriminator: sizes, and what a logit depends on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.toy_upscaler import random_like

from jaxgen.models.build import build_discriminator
from jaxgen.models.discriminator import unshuffle
from jaxgen.models.upscaler import shuffle

NET: Any = build_discriminator(4, dtype="float32")


@pytest.fixture(scope="module")
def params():
  fresh = NET.init(jax.random.key(0), jnp.zeros((1, 16, 16, 1)))["params"]
  return fresh, random_like(fresh, scale=0.3)


def image(height, width, *, num=1):
  rng = np.random.default_rng(0)
  return jnp.float32(rng.normal(size=(num, height, width, 1)))


def test_an_untrained_one_has_no_opinion(params):
  assert not NET.apply({"params": params[0]}, image(16, 16)).any()
  assert NET.apply({"params": params[1]}, image(16, 16)).all()


@pytest.mark.parametrize("height, width", [(16, 24), (17, 30)])
def test_there_is_a_logit_for_each_square_of_four_pixels(params, height, width):
  logits = NET.apply({"params": params[1]}, image(height, width))
  assert logits.shape == (1, -(-height // 2), -(-width // 2))
  assert jnp.isfinite(logits).all()


def test_each_image_is_judged_by_itself(params):
  images = image(16, 16, num=3)
  score = lambda x: NET.apply({"params": params[1]}, x)  # noqa: E731
  alone = jnp.concatenate([score(x[None]) for x in images])
  np.testing.assert_allclose(score(images), alone, rtol=1e-4, atol=1e-6)


def test_logits_move_with_the_image(params):
  """By half of what it moves, away from the borders."""
  whole = image(136, 128)
  high, low = (
    NET.apply({"params": params[1]}, x) for x in (whole[:, :-8], whole[:, 8:])
  )
  inner = slice(24, 36)
  moved = high[:, 28:40, inner]
  scale = float(jnp.abs(moved).max())
  np.testing.assert_allclose(low[:, inner, inner], moved, atol=1e-4 * scale)
  assert jnp.abs(high[:, inner, inner] - moved).max() > 0.1 * scale


def test_moving_pixels_to_channels_is_undone_by_shuffling():
  x = image(6, 4, num=2)
  np.testing.assert_array_equal(shuffle(unshuffle(x), 2), x)
