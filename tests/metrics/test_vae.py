"""Held-out scores of a VAE and of the heads of an autoencoder."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.metrics.vae import NAMED, summary, traits


def scores(mean, nats):
  """The scores of posteriors, as an evaluation computes them."""
  found = traits(jnp.asarray(mean), jnp.asarray(nats))
  return summary({k: np.asarray(v).mean(0) for k, v in found.items()})


@pytest.mark.parametrize("places", [(), (2, 3)])
def test_a_unit_is_active_where_its_mean_varies(places):
  """Over images, not over places."""
  rng = np.random.default_rng(0)
  mean = np.zeros((400, *places, 3), np.float32)
  mean[..., 0] = rng.normal(size=(400, *places))
  mean[..., 1] = 0.05 * rng.normal(size=(400, *places))
  mean[..., 2] = 5 + np.arange(np.prod(places)).reshape(places)
  found = scores(mean, np.zeros_like(mean))
  assert found["kl/active_units"] == 1


def test_the_divergence_of_a_unit_is_summed_over_places():
  nats = np.zeros((2, 3, 3, 2), np.float32)
  nats[..., 0], nats[..., 1] = 0.5, 2.0
  found = scores(np.zeros_like(nats), nats)
  assert found["kl/unit_00"] == pytest.approx(9 * 0.5)
  assert found["kl/unit_01"] == pytest.approx(9 * 2.0)
  assert found["kl/nats"] == pytest.approx(9 * 2.5)


def test_many_units_are_summarized_by_quantiles():
  nats = np.tile(np.arange(101, dtype=np.float32), (2, 1))
  found = scores(np.zeros_like(nats), nats)
  assert [found[f"kl/unit_{q}%"] for q in (10, 50, 90)] == [10, 50, 90]
  assert len(nats[0]) > NAMED and "kl/unit_00" not in found


def test_confusion_becomes_accuracies():
  matrix = np.array([[3.0, 1.0], [0.0, 4.0]])
  found = summary({"segments": matrix, "classes": matrix, "psnr": 20.0})
  assert found["segments/accuracy"] == found["classes/accuracy"] == 7 / 8
  assert found["segments/miou"] == pytest.approx((3 / 4 + 4 / 5) / 2)
  assert found["psnr"] == 20.0 and "classes/miou" not in found
