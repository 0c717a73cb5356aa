"""Networks that enlarge images, around bicubic interpolation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.toy_upscaler import random_like

from jaxgen import bicubic
from jaxgen.config.upscalers import UPSCALERS
from jaxgen.models.build import build
from jaxgen.models.upscaler import icnr, shuffle

CASES = [(x, f) for x in UPSCALERS for f in (2, 3, 4)]


def network(name, factor):
  section = UPSCALERS[name]
  options = section(**section.smoke)
  return options, build(
    options, resolution=16 * factor, channels=1, factor=factor
  )


@pytest.mark.parametrize(("name", "factor"), CASES)
def test_untrained_it_is_the_bicubic_enlargement(name, factor):
  _, model = network(name, factor)
  low = jnp.asarray(np.random.default_rng(0).normal(size=(1, 5, 7, 1)))
  y, params = model.init_with_output(jax.random.key(0), low.astype("float32"))
  want = bicubic.resize(low.astype("float32"), 5 * factor, 7 * factor)
  np.testing.assert_array_equal(y, want)
  assert jax.tree.leaves(params)


@pytest.mark.parametrize(("name", "factor"), CASES)
def test_the_receptive_field_is_what_its_options_say(name, factor):
  options, model = network(name, factor)
  reach = options.reach(factor)
  side, middle = 2 * reach + 5, reach + 2
  low = jnp.zeros((1, side, side, 1))
  shapes = jax.eval_shape(model.init, jax.random.key(0), low)
  params = jax.tree.map(jnp.abs, random_like(shapes, scale=1.0))

  def pixels(x):  # of the middle, so that nothing cancels
    first = factor * middle
    y = model.apply(params, x)[0]
    return y[first : first + factor, first : first + factor].sum()

  touched = np.asarray(jax.grad(pixels)(low + 1.0))[0, ..., 0] != 0
  rows = np.flatnonzero(touched.any(1))
  assert (rows[0], rows[-1]) == (middle - reach, middle + reach)


def test_a_shuffle_moves_channels_to_pixels():
  x = jnp.arange(2 * 3 * 8.0).reshape(1, 2, 3, 8)
  y = shuffle(x, 2)
  assert y.shape == (1, 4, 6, 2)
  np.testing.assert_array_equal(y[0, 1, 4], x[0, 0, 2, 4:6])


def test_icnr_starts_without_a_checkerboard():
  init = icnr(jax.nn.initializers.lecun_normal(), 2)
  kernel = init(jax.random.key(0), (3, 3, 4, 12))
  x = np.random.default_rng(0).normal(size=(1, 3, 3, 4)).astype(np.float32)
  y = shuffle(jnp.einsum("nijc,ijcd->nd", x, kernel)[:, None, None], 2)
  np.testing.assert_allclose(y, jnp.broadcast_to(y[:, :1, :1], y.shape))
