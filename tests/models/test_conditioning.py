from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.config.models import MODELS
from jaxgen.models.build import build
from jaxgen.models.conditioning import (
  Conditioning,
  Numbers,
  concat_images,
  fourier_features,
)

UNET: dict[str, Any] = {
  "width": 8,
  "multipliers": (1,),
  "attention": (False,),
  "num_res_blocks": 1,
  "head_dim": 8,
}
DENOISERS: dict[str, dict[str, Any]] = {
  "unet": UNET,
  "progressive_unet": UNET | {"resolutions": (8, 12), "outer_width": 8},
  "multiscale_unet": UNET | {"scales": (8,), "scale_width": 8},
  "dit": {"width": 32, "depth": 1, "heads": 2},
}
NOISE = jnp.array([-1.0, 0.0, 0.7])


@pytest.fixture(scope="module")
def embed():
  net = Conditioning(width=16, condition_sizes=(("rock", 3), ("color", 2)))
  params = net.init(jax.random.key(0), NOISE, {}, 32)
  return lambda cond, noise=NOISE, side=32: net.apply(params, noise, cond, side)


def test_features_are_points_on_circles():
  features = fourier_features(NOISE, 8)
  squares = features[:, :4] ** 2 + features[:, 4:] ** 2
  np.testing.assert_allclose(squares, 1, atol=1e-5)


def test_the_lowest_frequency_is_one():
  features = fourier_features(NOISE, 8)
  np.testing.assert_allclose(features[:, 0], np.cos(NOISE), atol=1e-6)
  np.testing.assert_allclose(features[:, 4], np.sin(NOISE), atol=1e-6)


@pytest.mark.parametrize("highest", [1.0, 16.0, 1000.0])
def test_the_highest_frequency_is_the_one_given(highest):
  features = fourier_features(NOISE, 8, highest=highest)
  angle = highest * NOISE
  np.testing.assert_allclose(features[:, 3], np.cos(angle), atol=1e-4)
  np.testing.assert_allclose(features[:, 7], np.sin(angle), atol=1e-4)


def test_by_default_the_noise_has_features_up_to_1000_bitwise():
  angles = NOISE[:, None] * jnp.geomspace(1.0, 1000.0, 8)[None]
  features = np.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)
  np.testing.assert_array_equal(
    fourier_features(NOISE, 16, highest=Conditioning.highest), features
  )


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("highest", [None, 16.0])
def test_every_embedding_of_a_network_has_the_field_s_frequency(name, highest):
  given = {} if highest is None else {"time_frequency": highest}
  side = 12  # two levels of the one that grows
  options = MODELS[name](**DENOISERS[name] | given)
  net: Any = build(options, resolution=side, channels=1)
  found = []

  def record(call, args, kwargs, context):
    if isinstance(context.module, Conditioning):
      found.append(context.module.highest)
    return call(*args, **kwargs)

  with nn.intercept_methods(record):
    x = jnp.zeros((1, side, side, 1))
    jax.eval_shape(net.init, jax.random.key(0), x, jnp.zeros(1))
  embeddings = 1 if name in ("unet", "dit") else 2
  assert found == [highest or 1000.0] * embeddings


def test_a_missing_condition_is_one_of_value_minus_one(embed):
  rock, gone = jnp.array([0, 1, 2]), jnp.full(3, -1)
  np.testing.assert_array_equal(
    embed({"rock": rock}), embed({"rock": rock, "color": gone})
  )
  np.testing.assert_array_equal(embed(None), embed({}))
  assert not np.allclose(embed({"rock": rock}), embed({}), atol=1e-4)


def test_every_value_has_an_embedding_of_its_own(embed):
  noise = jnp.zeros(3)
  rows = np.asarray(embed({"rock": jnp.arange(3)}, noise))
  assert np.linalg.matrix_rank(rows - embed({}, noise), tol=1e-4) == 3


def test_resolution_is_zero_at_first(embed):
  np.testing.assert_array_equal(embed({}), embed({}, side=64))


def test_image_conditions_are_channels_in_order_and_zeros_where_missing():
  x = jnp.ones((2, 4, 4, 3))
  known = ("one", 1), ("two", 2)
  image = jnp.full((2, 4, 4, 1), 0.5)
  with_it = concat_images(x, {"one": image}, known)
  np.testing.assert_array_equal(with_it[..., :3], x)
  np.testing.assert_array_equal(with_it[..., 3:4], image)
  np.testing.assert_array_equal(with_it[..., 4:], 0)
  both = concat_images(x, {"two": -image, "one": image}, known)
  np.testing.assert_array_equal(both[0, 0, 0, 3:], [0.5, -0.5, -0.5])
  assert concat_images(x, {"one": image}, ()) is x


def test_numbers_add_nothing_at_first_and_may_be_missing():
  net = Conditioning(width=16, condition_sizes=(("camera", Numbers(2)),))
  params = net.init(jax.random.key(0), NOISE, {}, 32)

  def call(params, cond):
    output: Any = net.apply(params, NOISE, cond, 32)
    return output

  given = jnp.array([[1.0, 0.1], [jnp.nan, 0.1], [2.0, -jnp.inf]])
  none = call(params, {})
  np.testing.assert_array_equal(call(params, {"camera": given}), none)
  trained = jax.tree.map(lambda p: p + 0.1, params)
  none, some = call(trained, {}), call(trained, {"camera": given})
  np.testing.assert_allclose(some[1:], none[1:], rtol=1e-6)
  assert not np.allclose(some[0], none[0], atol=1e-3)
