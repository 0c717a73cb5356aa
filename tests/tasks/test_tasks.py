import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.config.defaults import autoencoder, smoke
from jaxgen.errors import UserError
from jaxgen.images import normalize, to_uint8
from jaxgen.latents import density
from jaxgen.tasks import families


def config(**stages):
  c = smoke(autoencoder())
  c.data.channels = 1
  c.stages.update(resolution=(32,), **stages)
  return c


def noise(seed, n):
  """Keys of `n` images."""
  return jax.random.split(jax.random.key(seed), n)


def test_stored_images_become_minus_one_to_one():
  for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
    x = normalize(jnp.array([0, top], dtype))
    np.testing.assert_allclose(x, [-1, 1], atol=1e-6)
  x = jnp.array([-0.3, 0.7])
  np.testing.assert_array_equal(normalize(x), x)
  levels = jnp.arange(256, dtype=jnp.uint8)
  np.testing.assert_array_equal(to_uint8(normalize(levels)), levels)
  assert to_uint8(jnp.array([-9.0, 9.0])).tolist() == [0, 255]


def test_the_task_reconstructs_what_it_evaluates():
  task = families.build(config(), 32, {})
  params = task.init(jax.random.key(0))
  images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
  batch = {"image": jnp.asarray(images)}
  latents = np.random.default_rng(1).normal(size=(64, 16))
  prior = density.fit(latents, density.PREVIEW)
  keys = jax.random.split(jax.random.key(0), 4)
  originals, rebuilt, new = task.preview(params, batch, keys, prior)
  np.testing.assert_allclose(originals, normalize(batch["image"]))
  codec = task.codec(params)
  drawn = density.draw(prior, density.PREVIEW, keys)
  np.testing.assert_allclose(codec.decode(drawn), new, atol=1e-5)
  latents = codec.encode(originals)
  assert latents.shape == (4, *task.latent_shape)
  np.testing.assert_allclose(codec.decode(latents), rebuilt, atol=1e-6)
  mse = jnp.mean((jnp.clip(rebuilt, -1, 1) - originals) ** 2, (1, 2, 3)) / 4
  scores = task.evaluate(params, batch)
  np.testing.assert_allclose(scores["mse"], mse, rtol=1e-5)
  _, metrics = task.loss(params, batch, noise(0, 4))
  assert metrics["mse"] == pytest.approx(
    float(jnp.mean((rebuilt - originals) ** 2)) / 4, rel=1e-5
  )


def test_dropout_noise_comes_from_the_key_and_is_off_in_evaluation():
  c = config()
  c.model.dropout = 0.5
  task = families.build(c, 32, {})
  params = jax.tree.map(lambda p: p + 0.02, task.init(jax.random.key(0)))
  batch = {"image": jax.random.uniform(jax.random.key(1), (2, 32, 32, 1))}
  loss = lambda k: float(task.loss(params, batch, noise(k, 2))[0])  # noqa: E731
  assert loss(0) == loss(0) != loss(1)
  one, two = (task.evaluate(params, batch)["mse"] for _ in range(2))
  np.testing.assert_array_equal(one, two)


def test_stages_are_rows_of_equal_length_tuples():
  c = config()
  c.stages.update(
    resolution=(32, 32), images=(10, 20), batch_size=(4, 8), accumulate=(1, 2)
  )
  rows = families.stages(c)
  assert [r.images for r in rows] == [10, 20]
  assert [r.accumulate for r in rows] == [1, 2]


@pytest.mark.parametrize(
  ("change", "names"),
  [
    ({"images": (1, 2), "rate": (1.0, 1.0, 1.0)}, "unequal length"),
    ({"batch_size": (0,)}, "at least 1"),
    ({"accumulate": (5,)}, "accumulate=5"),
  ],
)
def test_stages_that_make_no_sense_are_refused(change, names):
  with pytest.raises(UserError, match=names):
    families.stages(config(**change))


def test_unknown_names_are_refused():
  c = config()
  c.task = "magic"
  with pytest.raises(UserError, match="magic"):
    families.build(c, 32, {})
  c = config()
  c.loss.hope = 1.0
  with pytest.raises(UserError, match="hope"):
    families.build(c, 32, {})
