"""Cross-entropy with missing labels."""

import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax

from jaxgen.losses.labels import cross_entropy

RNG = np.random.default_rng(0)


def test_cross_entropy_is_the_mean_over_labelled_places():
  logits = RNG.normal(size=(3, 4, 5, 6)).astype(np.float32)
  labels = RNG.integers(0, 6, (3, 4, 5))
  labels[0, 0], labels[1, 2, 3], labels[2] = -1, 255, 6
  found = cross_entropy(jnp.asarray(logits), jnp.asarray(labels))
  for image, (x, y) in enumerate(zip(logits, labels, strict=True)):
    known = (y >= 0) & (y < 6)
    log_p = log_softmax(x, axis=-1)[known, y[known]]
    expected = -log_p.mean() if known.any() else 0.0
    np.testing.assert_allclose(found[image], expected, rtol=1e-5)


def test_cross_entropy_of_classes():
  logits = jnp.array([[0.0, 0.0], [3.0, -3.0]])
  found = cross_entropy(logits, jnp.array([0, 1]))
  np.testing.assert_allclose(found, [np.log(2), np.log1p(np.exp(6))], rtol=1e-5)
