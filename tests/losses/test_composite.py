"""The terms of a loss, by their names in the config."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.config.losses import LossConfig
from jaxgen.errors import UserError
from jaxgen.losses.composite import image_distances, label_terms
from jaxgen.losses.labels import cross_entropy
from jaxgen.losses.reconstruction import RECONSTRUCTION


def test_terms_that_compare_images_are_those_with_a_weight():
  config = LossConfig(l1=0.5, ssim=2.0, segmentation=1.0)
  found = image_distances(config)
  assert found.keys() == {"l1", "log_mse", "ssim"}
  x, y = jax.random.uniform(jax.random.key(0), (2, 2, 16, 16, 3))
  for name, distance in found.items():
    want = RECONSTRUCTION[name](x, y)
    np.testing.assert_array_equal(distance(x, y), want)


def test_missing_weights_of_a_network_are_named(tmp_path):
  config = LossConfig(vgg=1.0, perceptual_weights=str(tmp_path / "gone"))
  with pytest.raises(UserError, match="gone"):
    image_distances(config)


def test_terms_of_labels_are_those_of_the_heads():
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
  outputs = {"segments": draw(2, 4, 4, 3), "classes": draw(2, 5)}
  batch = {"mask": jnp.ones((2, 4, 4), int), "kind": jnp.zeros(2, int)}
  config = LossConfig(segmentation=1.0, classification=1.0, label="kind")
  found = dict(label_terms(config, outputs, batch))
  for name, head, field in (
    ("segmentation", "segments", "mask"),
    ("classification", "classes", "kind"),
  ):
    want = cross_entropy(outputs[head], batch[field])
    np.testing.assert_array_equal(found[name], want)
  assert dict(label_terms(LossConfig(), outputs, batch)) == {}
