"""Noise for the training with noise maps."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.configs import toy_denoiser

from jaxgen.config import defaults
from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.parse import parse
from jaxgen.config.variants import smoke
from jaxgen.diffusion import analytic
from jaxgen.restoration import sensor_numbers
from jaxgen.tasks import families, noise_maps
from jaxgen.train.transfer import transfer_params
from jaxgen.trees import named
from jaxgen.typing import LossInputs

CONFIG = DiffusionConfig(noise_map=True)
NUM = 256
GAUSSIAN = analytic.gaussian(0.0, 0.3)


def build(noise_map=True, diffusion=None):
  config = toy_denoiser(
    stages={"resolution": (16,)},
    diffusion={"noise_map": noise_map, **(diffusion or {})},
  )
  return families.build(parse(config), {})


def draw(config, y):
  """Noisy images, their maps and conditions."""
  sigma = jnp.full(NUM, 0.5)
  unit = jax.random.normal(jax.random.key(1), y.shape)
  keys = jax.random.split(jax.random.key(2), NUM)
  x, level, cond = jax.jit(
    lambda y: noise_maps.draw(
      config, GAUSSIAN, y, sigma=sigma, unit=unit, cond=None, keys=keys
    )
  )(y)
  return np.asarray(x), np.asarray(level), cond


@pytest.fixture(scope="module")
def drawn():
  """Clean images, noisy ones and their maps."""
  y = 0.3 * jax.random.normal(jax.random.key(0), (NUM, 16, 16, 1))
  x, level, cond = draw(CONFIG, y)
  assert cond is None
  return np.asarray(y), x, level


def test_the_noise_has_the_variance_of_its_map(drawn):
  """About, since the map is by an estimate of the image."""
  y, x, level = drawn
  assert np.isfinite(x).all() and (level > 0).all()
  ratio = ((x - y) / level).reshape(NUM, -1).var(1)
  assert np.median(ratio) == pytest.approx(1, abs=0.05)
  assert np.mean(ratio) == pytest.approx(1, abs=0.1)


def test_a_fourth_of_the_noise_is_even(drawn):
  level = drawn[2].reshape(NUM, -1)
  even = np.ptp(level, axis=1) < 1e-6
  assert even.mean() == pytest.approx(0.25, abs=0.1)
  np.testing.assert_allclose(level[even], 0.5, rtol=1e-5)
  assert (level[~even].max(1) / level[~even].min(1)).max() > 5


def test_the_map_does_not_show_the_image():
  """It is the same of two images with the same counts: it depends on the true
  image through what was measured only."""
  y = jnp.zeros((4, 16, 16, 1))
  keys = jax.random.split(jax.random.key(0), 4)
  seen = []

  def spy(x, sigma, cond=None):
    seen.append(x)
    return 0 * x

  noise_maps.draw(
    CONFIG, spy, y, sigma=jnp.ones(4), unit=y + 1, cond=None, keys=keys
  )
  assert len(seen) == 1  # the pilot, which answers 0: maps are even
  _, level, _ = noise_maps.draw(
    CONFIG, spy, y + 0.3, sigma=jnp.ones(4), unit=y, cond=None, keys=keys
  )
  kinds = [len(np.unique(np.round(v, 5))) for v in np.asarray(level)]
  assert all(n <= 2 or n > 200 for n in kinds)  # smooth fields apart


def test_the_loss_starts_at_one():
  task = build()
  images = 0.5 * jax.random.rademacher(
    jax.random.key(0), (128, 16, 16, 1), jnp.float32
  )
  params = jax.jit(task.init)(jax.random.key(0))
  keys = jax.random.split(jax.random.key(1), 128)
  loss, metrics = task.loss(params, {"image": images}, keys, LossInputs())
  assert float(loss) == pytest.approx(1, abs=0.15)
  assert np.isfinite(metrics["mse"])


def test_a_constant_map_is_the_ordinary_denoiser():
  """And the weights of an ordinary run begin as they were."""
  plain, mapped = build(False), build()
  assert plain.denoiser and mapped.denoiser
  old = jax.jit(plain.init)(jax.random.key(0))
  old = jax.tree.map(lambda p: p + 0.02, old)
  rules = mapped.model.rules(plain.model)
  new = transfer_params(old, jax.jit(mapped.init)(jax.random.key(1)), rules)
  x = jax.random.normal(jax.random.key(0), (2, 16, 16, 1))
  sigma = jnp.array([0.1, 2.0])
  want = plain.denoiser(old)(x, sigma)
  even = jnp.broadcast_to(sigma[:, None, None, None], x.shape)
  for level in (sigma, even, even[..., :1]):
    np.testing.assert_allclose(mapped.denoiser(new)(x, level), want, atol=1e-5)
  with pytest.raises(ValueError, match="sigma"):
    plain.denoiser(old)(x, even)


def test_numbers_of_sensors_are_told_of_some_images(drawn):
  """Those with a sensor, of which a few are dropped; nothing else changes."""
  y, x, level = drawn
  config = dataclasses.replace(
    CONFIG, sensor_condition=True, cond_drop_prob=0.4
  )
  found, maps, cond = draw(config, y)
  np.testing.assert_array_equal(found, x)
  np.testing.assert_array_equal(maps, level)
  told = np.asarray(cond[sensor_numbers.NAME])
  known = np.all(np.isfinite(told), axis=1)
  assert known.mean() == pytest.approx(0.5 * 0.8, abs=0.1)
  even = np.ptp(maps.reshape(NUM, -1), axis=1) < 1e-6
  assert not np.any(known & even)
  scale, read, black = told[known].T
  scale = np.exp(scale)
  for values, (low, high) in (
    (2 * scale, config.photons),
    (read * scale, config.read_noise),
    (black * scale, config.background),
  ):
    assert low * 0.99 < values.min() < values.max() < high * 1.01


def test_a_denoiser_is_told_numbers_from_the_weights_of_one_that_is_not():
  plain, told = build(), build(diffusion={"sensor_condition": True})
  assert plain.denoiser and told.denoiser
  old = jax.jit(plain.init)(jax.random.key(0))
  old = jax.tree.map(lambda p: p + 0.02, old)
  rules = told.model.rules(plain.model)
  new = transfer_params(old, jax.jit(told.init)(jax.random.key(1)), rules)
  x, sigma = jax.random.normal(jax.random.key(0), (2, 16, 16, 1)), jnp.ones(2)
  want = plain.denoiser(old)(x, sigma)
  cond = {sensor_numbers.NAME: jnp.ones((2, 3))}
  np.testing.assert_allclose(told.denoiser(new)(x, sigma, cond), want)
  trained = jax.tree.map(lambda p: p + 0.02, new)
  base = told.denoiser(trained)(x, sigma)
  assert jnp.abs(told.denoiser(trained)(x, sigma, cond) - base).max() > 1e-4


def test_a_growing_network_learns_with_maps_and_numbers():
  config = smoke(defaults.denoiser(defaults.progressive_unet()))
  config.data.channels = 1
  config.diffusion.update(noise_map=True, sensor_condition=True)
  config.model.update(resolutions=(8, 16), outer_width=8)
  config.stages.resolution = (16,)
  task = families.build(parse(config), {})
  y = 0.5 * jax.random.rademacher(
    jax.random.key(0), (8, 16, 16, 1), jnp.float32
  )
  params = jax.jit(task.init)(jax.random.key(0))
  assert task.set_fade
  params = task.set_fade(params, jnp.ones(()))
  keys = jax.random.split(jax.random.key(1), 8)
  loss = jax.jit(
    jax.grad(lambda p: task.loss(p, {"image": y}, keys, LossInputs())[0])
  )
  grads = {k: np.abs(g).max() for k, g in named(loss(params)).items()}
  assert all(np.isfinite(g) for g in grads.values())
  assert grads["outer_1_conv_out/kernel"] > 0
