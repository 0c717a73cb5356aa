import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise
from support.operators import dense

from jaxgen.formats import camera_raw
from jaxgen.restoration import operators

SHAPE = (3, 4, 16, 2)
UNEVEN = np.random.default_rng(0).normal(size=(5, 5))
SEEN = jax.random.bernoulli(jax.random.key(0), 0.5, (3, 4, 16, 1))


@pytest.mark.parametrize(
  ("operator", "shape"),
  [
    (operators.identity, SHAPE),
    (operators.mask(SEEN), SHAPE),
    (operators.downsampling(2), (3, 2, 8, 2)),
    (operators.downsampling(4), (3, 1, 4, 2)),
    (operators.blur(UNEVEN), SHAPE),
    (dense(noise((5, 16))), (3, 4, 5, 2)),
  ],
  ids=["identity", "mask", "half", "quarter", "blur", "dense"],
)
def test_the_adjoint_is_the_adjoint(operator, shape):
  """<A x, y> = <x, A' y>, for each image by itself."""
  x, y = noise(SHAPE), noise(shape, 1)
  seen, back = operator.apply(x), operator.adjoint(y)
  assert seen.shape == y.shape and back.shape == x.shape
  each = lambda a, b: np.asarray(jnp.sum(a * b, (1, 2, 3)))  # noqa: E731
  np.testing.assert_allclose(each(seen, y), each(x, back), rtol=1e-4, atol=1e-4)


def test_a_mask_keeps_what_is_seen():
  x = noise(SHAPE)
  kept = operators.mask(SEEN).apply(x)
  np.testing.assert_array_equal(kept, np.where(SEEN, x, 0.0))


@pytest.mark.parametrize("order", operators.ORDERS)
def test_a_mosaic_and_its_adjoint(order):
  """With the channels of raw files, whichever color the sensor has first."""
  x, y = noise((2, 4, 6, 3)), noise((2, 2, 3, 4), 1)
  mosaic = operators.bayer(order)
  packed, back = mosaic.apply(x), mosaic.adjoint(y)
  assert packed.shape == y.shape and back.shape == x.shape
  np.testing.assert_allclose(jnp.vdot(packed, y), jnp.vdot(x, back), rtol=1e-5)
  letters = np.array(list(order)).reshape(2, 2)
  for k, (row, column) in enumerate(camera_raw.bayer_places(letters)):
    want = x[:, row::2, column::2, "RGGB"[k] == np.array(list("RGB"))][..., 0]
    np.testing.assert_array_equal(packed[..., k], want)


@pytest.mark.parametrize(
  "operator",
  [operators.identity, operators.mask(SEEN[:2, :, :6]), operators.bayer()],
  ids=["identity", "mask", "bayer"],
)
def test_selections_are_diagonal(operator):
  """A A' y = y where something is seen, and A' p A x = (A' p) x."""
  assert operator.selects
  x = noise((2, 4, 6, 3))
  p = operator.apply(1 + x**2)
  want = operator.adjoint(p) * x
  np.testing.assert_allclose(operator.adjoint(p * operator.apply(x)), want)


def test_means_and_blurs_keep_what_is_even():
  x = jnp.full(SHAPE, 0.7)
  kernel = np.abs(UNEVEN) / np.abs(UNEVEN).sum()
  for operator in (operators.blur(kernel), operators.downsampling(2)):
    np.testing.assert_allclose(operator.apply(x), 0.7, rtol=1e-5)
    assert not operator.selects


def test_a_blur_is_a_convolution():
  point = jnp.zeros((1, 9, 9, 1)).at[0, 4, 4, 0].set(1.0)
  spread = operators.blur(UNEVEN).apply(point)[0, 2:7, 2:7, 0]
  np.testing.assert_allclose(spread, UNEVEN, rtol=1e-5)


def test_impossible_operators_are_refused():
  with pytest.raises(ValueError, match="kernel"):
    operators.blur(np.ones((4, 4)))
  for order in ("RGBB", "RBGG"):
    with pytest.raises(ValueError, match="order"):
      operators.bayer(order)
