import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng


def test_streams_differ_by_seed_name_and_index():
  keys = [
    rng.stream(0, "a"),
    rng.stream(1, "a"),
    rng.stream(0, "b"),
    rng.stream(0, "a", 0),
    rng.stream(0, "a", 1),
    rng.stream(0, "a", 0, 1),
  ]
  bits = {tuple(np.asarray(jax.random.key_data(k)).tolist()) for k in keys}
  assert len(bits) == len(keys)


def test_a_sample_key_depends_on_its_index_alone():
  key = rng.stream(0, "a")
  many = rng.per_sample(key, jnp.arange(8))
  few = rng.per_sample(key, jnp.array([5, 2]))
  assert (many[jnp.array([5, 2])] == few).all()
