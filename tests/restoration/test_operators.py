import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise
from support.operators import dense

from jaxgen.restoration import operators

SHAPE = (3, 4, 16, 2)
SEEN = jax.random.bernoulli(jax.random.key(0), 0.5, (3, 4, 16, 1))


@pytest.mark.parametrize(
  ("operator", "shape"),
  [
    (operators.identity, SHAPE),
    (operators.mask(SEEN), SHAPE),
    (dense(noise((5, 16))), (3, 4, 5, 2)),
  ],
  ids=["identity", "mask", "dense"],
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
