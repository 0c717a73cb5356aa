from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.config.models import PatchAutoencoderConfig
from jaxgen.errors import UserError
from jaxgen.images import upsample_matrix
from jaxgen.models.build import build
from jaxgen.models.patches import patch_window

SMALL: dict[str, Any] = dict(
  patch_size=4,
  width=32,
  encoder_depth=1,
  decoder_depth=1,
  heads=2,
  latent_dim=24,
  patch_features=8,
  dtype="float32",
)


def make(*, resolution=16, **fields) -> Any:
  options = PatchAutoencoderConfig(**SMALL | fields)
  return build(options, resolution=resolution, channels=1)


def fit(model, images, steps, rate=0.02):
  params = model.init(jax.random.key(0), images)["params"]
  tx = optax.contrib.muon(optax.cosine_decay_schedule(rate, steps))

  @jax.jit
  def step(params, state):
    def loss(p):
      y = model.apply({"params": p}, images)
      return jnp.mean((y - images) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state, value

  state = tx.init(params)
  for _ in range(steps):
    params, state, value = step(params, state)
  return params, float(value)


@pytest.mark.slow
def test_one_batch_is_overfitted_past_40_db_and_reaches_both_ends():
  """Images that are mostly black and white: a squashed or rectified output
  could not paint them."""
  rng = np.random.default_rng(0)
  images = jnp.sign(jnp.asarray(rng.normal(size=(8, 16, 16, 1)), jnp.float32))
  model = make()
  params, mse = fit(model, images, 300)
  assert 10 * np.log10(4 / mse) > 40
  output = model.apply({"params": params}, images)
  assert output.min() < -0.97 and output.max() > 0.97


def test_the_fresh_network_is_one_linear_map_each_way():
  """Blocks start as the identity, so that superposition holds exactly."""
  model = make()
  x, y = jax.random.normal(jax.random.key(1), (2, 3, 16, 16, 1))
  params = model.init(jax.random.key(0), x)
  f = lambda x: model.apply(params, x)  # noqa: E731
  zero = f(jnp.zeros_like(x))
  np.testing.assert_allclose(
    f(2 * x - y) - zero, 2 * (f(x) - zero) - (f(y) - zero), atol=1e-4
  )


@pytest.mark.parametrize("latent", ["vector", "tokens"])
def test_the_latent_is_the_only_way_from_image_to_image(latent):
  model = make(latent=latent)
  x = jax.random.normal(jax.random.key(1), (3, 16, 16, 1))
  params = model.init(jax.random.key(0), x)
  z = model.apply(params, x, method="encode")
  assert z.shape == ((3, 24) if latent == "vector" else (3, 4, 4, 24))
  assert z.dtype == jnp.float32
  y = model.apply(params, z, method="decode")
  np.testing.assert_array_equal(y, model.apply(params, x))


def test_images_of_a_batch_do_not_touch_each_other():
  model = make()
  x = jax.random.normal(jax.random.key(1), (3, 16, 16, 1))
  params = jax.tree.map(lambda p: p + 0.03, model.init(jax.random.key(0), x))
  one = lambda x: model.apply(params, x)[0].sum()  # noqa: E731
  gradient = jax.grad(one)(x)
  assert jnp.abs(gradient[0]).max() > 0
  assert jnp.abs(gradient[1:]).max() == 0


def test_bfloat16_computes_low_and_keeps_parameters_high():
  model = make(dtype="bfloat16")
  exact = make()
  x = jax.random.normal(jax.random.key(1), (3, 16, 16, 1))
  params = model.init(jax.random.key(0), x)
  assert {p.dtype.name for p in jax.tree.leaves(params)} == {"float32"}
  a, b = model.apply(params, x), exact.apply(params, x)
  assert a.dtype == jnp.float32
  error = float(jnp.abs(a - b).max() / jnp.abs(b).max())
  assert 1e-5 < error < 0.05


def test_parameter_names_and_most_shapes_do_not_know_the_resolution():
  trees = []
  for resolution in (16, 32):
    model = make(resolution=resolution)
    x = jnp.zeros((1, resolution, resolution, 1))
    trees.append(jax.eval_shape(model.init, jax.random.key(0), x)["params"])
  a, b = (
    {jax.tree_util.keystr(k): v.shape for k, v in jax.tree.leaves_with_path(t)}
    for t in trees
  )
  assert a.keys() == b.keys()
  changed = {k for k in a if a[k] != b[k]}
  assert changed == {
    "['position_in']",
    "['position_out']",
    "['latent_out']['kernel']",
    "['latent_in']['kernel']",
    "['latent_in']['bias']",
  }


def test_another_patch_size_enlarges_the_weighted_patches():
  """What overlap-adding sums are the old patches, enlarged."""
  small, large = (
    make(overlap=0.25, patch_size=p, resolution=4 * p) for p in (4, 8)
  )
  w = jax.random.normal(jax.random.key(0), (5, 6**2))
  new = large.rules(small)["patch_out/kernel"](w).reshape(5, 12, 12)
  windows = [patch_window(4, 1), patch_window(8, 2)]
  before, after = (np.outer(x, x)[None] for x in windows)
  enlarge = upsample_matrix(6, 12)
  expected = np.einsum(
    "ai,xij,bj->xab", enlarge, w.reshape(5, 6, 6) * before, enlarge
  )
  np.testing.assert_allclose(new * after, expected, atol=1e-5)


@pytest.mark.parametrize("overlap", [0.6, 0.3])
def test_an_overlap_of_parts_of_pixels_or_beyond_half_is_refused(overlap):
  with pytest.raises(UserError, match=f"model.overlap={overlap}"):
    PatchAutoencoderConfig(**SMALL | {"overlap": overlap}).check(16)
