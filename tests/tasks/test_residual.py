"""Residuals: what hints lack of the images."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.tasks.residual import SCALE, residual
from jaxgen.tasks.space import tiles_encoder

SIGMA_DATA, STD = 0.5, 0.07
SPACE = residual((8, 8, 1), lambda batch, frozen: batch["hint"], SIGMA_DATA)


def frozen(scale):
  return {"numbers": {SCALE: jnp.float32(scale)}}


def pairs(num=64):
  """Images and hints that lack N(0, STD^2) of them, beside a common mean."""
  rng = np.random.default_rng(0)
  hint = rng.normal(0, 0.3, (num, 8, 8, 1))
  image = hint + STD * rng.normal(size=hint.shape)
  return {
    k: jnp.asarray(v, jnp.float32)
    for k, v in (("image", image), ("hint", hint))
  }


def test_the_measured_scale_gives_the_deviation_that_denoisers_expect():
  plain = {"numbers": dict(SPACE.numbers)}
  states = SPACE.states(pairs(4096), jnp.zeros(4096), plain)
  numbers = SPACE.fit(np.asarray(states))
  assert numbers[SCALE] == pytest.approx(SIGMA_DATA / STD, rel=0.01)
  assert numbers[SCALE].shape == SPACE.numbers[SCALE].shape
  batch = pairs()
  scaled = SPACE.states(batch, jnp.zeros(64), frozen(numbers[SCALE]))
  assert np.std(scaled) == pytest.approx(SIGMA_DATA, rel=0.05)


def test_states_are_encoded_images_and_decode_to_them():
  batch = pairs()
  codec = SPACE.codec(frozen(7.0), batch["hint"])
  states = SPACE.states(batch, jnp.zeros(64), frozen(7.0))
  np.testing.assert_array_equal(codec.encode(batch["image"]), states)
  np.testing.assert_allclose(codec.decode(states), batch["image"], atol=1e-6)
  np.testing.assert_array_equal(codec.decode(0 * states), batch["hint"])
  assert np.abs(states).std() > 3 * STD


def test_without_a_hint_there_are_no_states():
  with pytest.raises(ValueError, match="hint"):
    SPACE.codec(frozen(1.0), None)


def test_hints_that_lack_nothing_are_refused():
  with pytest.raises(UserError, match="diffusion.target=residual"):
    SPACE.fit(np.zeros((4, 8, 8, 1), np.float32))


def test_tiles_are_encoded_as_batches_are():
  space = residual(
    (8, 8, 1), lambda batch, frozen: 0 * batch["image"] + 0.1, SIGMA_DATA
  )
  tiles = pairs()["image"]
  states = tiles_encoder(space)(frozen(2.0), tiles)
  np.testing.assert_allclose(states, 2 * (tiles - 0.1), atol=1e-6)
