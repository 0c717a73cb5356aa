"""The convolutional autoencoder: shapes, symmetry, posteriors, resolutions."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.config.models import ConvAutoencoderConfig
from jaxgen.models.build import build
from jaxgen.models.conv_autoencoder import LOG_VARIANCE
from jaxgen.tasks.reconstruction import draw
from jaxgen.train.transfer import transfer_params
from jaxgen.trees import named

SMALL: dict[str, Any] = dict(
  base_channels=8,
  multipliers=(1, 2),
  downsampling_steps=2,
  num_res_blocks=1,
  head_dim=8,
)


def make(*, resolution=16, num_classes=0, **fields) -> Any:
  return build(
    ConvAutoencoderConfig(**SMALL | fields),
    resolution=resolution,
    channels=3,
    num_classes=num_classes,
  )


def begin(model):
  side = model.resolution
  images = jnp.zeros((1, side, side, model.channels))
  return model.init(jax.random.key(0), images)["params"]


def noise(*shape, seed=0):
  x = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(x, jnp.float32)


def shaken(params):
  """Parameters away from their zeros, so that every layer counts."""
  leaves, tree = jax.tree.flatten(params)
  return tree.unflatten(
    [x + 0.05 * noise(*x.shape, seed=i) for i, x in enumerate(leaves)]
  )


@pytest.mark.parametrize(("steps", "side"), [(3, 64), (4, 32), (5, 16)])
def test_latents_of_512_pixels(steps, side):
  options = ConvAutoencoderConfig(downsampling_steps=steps)
  model = build(options, resolution=512, channels=3)
  params = jax.eval_shape(lambda: begin(model))
  image = jax.ShapeDtypeStruct((1, 512, 512, 3), jnp.float32)
  run = lambda x, method: jax.eval_shape(  # noqa: E731
    lambda p, x: model.apply({"params": p}, x, method=method), params, x
  )
  latent = run(image, "encode")
  assert latent.shape == (1, side, side, 4)
  assert run(latent, "decode").shape == (1, 512, 512, 3)


def test_the_face_model_has_at_least_50_million_parameters():
  options = ConvAutoencoderConfig(
    base_channels=256,
    multipliers=(1, 1, 2, 2),
    downsampling_steps=5,
    latent_dim=1024,
    variational=True,
  )
  model = build(options, resolution=256, channels=3)
  params = jax.eval_shape(lambda: begin(model))
  assert sum(x.size for x in jax.tree.leaves(params)) >= 50e6


@pytest.mark.slow
@pytest.mark.parametrize(
  "latent", [{"latent_channels": 16}, {"latent_dim": 64}]
)
def test_one_batch_is_overfitted(latent):
  """Smooth images that are black and white in places, past 17 dB below their
  range of 2, from their variance 1.4 dB below it."""
  images = jax.image.resize(noise(4, 4, 4, 3), (4, 16, 16, 3), "linear")
  images = jnp.clip(2 * images, -1, 1)
  model = make(**latent)
  params, tx = begin(model), optax.contrib.muon(0.02)

  @jax.jit
  def step(params, state):
    def loss(p):
      y = model.apply({"params": p}, images)["image"]
      return jnp.mean((y - images) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state, value

  state, values = tx.init(params), []
  for _ in range(80):
    params, state, value = step(params, state)
    values.append(float(value))
  assert min(values) < 0.08


def test_with_circular_padding_a_rolled_image_has_a_rolled_latent():
  model = make(padding="circular", attention=True)
  params, x = shaken(begin(model)), noise(2, 16, 16, 3)
  run = lambda x: model.apply({"params": params}, x, method="encode")  # noqa: E731
  rolled = run(jnp.roll(x, (4, 8), (1, 2)))
  np.testing.assert_allclose(
    rolled, jnp.roll(run(x), (1, 2), (1, 2)), atol=1e-4
  )


def test_one_set_of_weights_runs_at_other_sizes():
  model, larger = make(), make(resolution=32)
  params = begin(model)
  assert larger.rules(model) == {}
  y = larger.apply({"params": params}, noise(1, 32, 32, 3))
  assert y["image"].shape == (1, 32, 32, 3)


def test_a_vector_keeps_what_it_says_on_a_larger_grid():
  """Where latents are tied to a grid, a grid of twice the side whose cells show
  the same gives the same vector, and paints the same."""
  small = make(latent_dim=6)
  large = make(resolution=32, latent_dim=6)
  old = shaken(begin(small))
  new = transfer_params(old, begin(large), large.rules(small))
  before, after = named(old), named(new)
  same = [k for k in before if not k.startswith("latent_")]
  for name in same:
    np.testing.assert_array_equal(before[name], after[name])
  cells = noise(4, 4, 4)
  enlarged = jnp.asarray(
    jax.image.resize(cells, (8, 8, 4), "linear"), jnp.float32
  )
  flat = lambda x: x.reshape(1, -1)  # noqa: E731
  kernel = "latent_out/kernel"
  np.testing.assert_allclose(
    flat(enlarged) @ after[kernel], flat(cells) @ before[kernel], atol=2e-4
  )


def test_draws_have_the_moments_of_the_posterior_and_an_image_its_own_noise():
  mean, log_variance = noise(2, 3), noise(2, 3, seed=1)
  keys = jax.random.split(jax.random.key(0), 20_000)
  repeat = lambda x: jnp.repeat(x[:1], 20_000, 0)  # noqa: E731
  z = draw(repeat(mean), repeat(log_variance), keys)
  np.testing.assert_allclose(z.mean(0), mean[0], atol=0.04)
  np.testing.assert_allclose(z.var(0), jnp.exp(log_variance[0]), rtol=0.05)
  few = draw(mean, log_variance, keys[:2])
  alone = draw(mean[1:], log_variance[1:], keys[1:2])
  np.testing.assert_array_equal(few[1:], alone)
  assert draw(mean, None, keys[:2]) is mean


def test_the_log_variance_is_clamped_and_the_code_is_the_mean():
  model = make(variational=True)
  params = jax.tree.map(lambda x: 100.0 * x, begin(model))
  x = 10 * noise(2, 16, 16, 3)
  run = lambda method: model.apply({"params": params}, x, method=method)  # noqa: E731
  mean, log_variance = run("posterior")
  assert mean.shape == log_variance.shape == (2, 4, 4, 4)
  low, high = LOG_VARIANCE
  assert low <= float(log_variance.min()) <= float(log_variance.max()) <= high
  np.testing.assert_array_equal(run("encode"), mean)


def test_heads():
  model = make(num_seg_classes=5, num_classes=3)
  found = model.apply({"params": begin(model)}, noise(2, 16, 16, 3))
  shapes = {k: v.shape for k, v in found.items()}
  assert shapes == {
    "image": (2, 16, 16, 3),
    "segments": (2, 16, 16, 5),
    "classes": (2, 3),
  }
