"""The space of latents: the identity changes nothing, both directions agree,
posteriors are drawn from, and what does not fit is refused."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest
from support import companions as stubs

from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.images import normalize
from jaxgen.tasks import families
from jaxgen.tasks.space import NUMBERS
from jaxgen.typing import LossInputs

KEYS = jax.random.split(jax.random.key(1), 4)


@pytest.fixture(scope="module")
def pair():
  """A run of pixels, and one in latents that are the images."""
  return stubs.run_of(None), stubs.run_of(stubs.identity())


def inputs_of(run) -> LossInputs:
  return LossInputs(frozen=run.frozen)


def test_in_latents_that_are_the_images_the_loss_is_that_of_pixels(pair):
  batch: Any = {"image": stubs.images()}
  found = [
    jax.jit(run.task.loss)(run.params, batch, KEYS, inputs_of(run))
    for run in pair
  ]
  jax.tree.map(np.testing.assert_array_equal, *found)


def test_in_latents_that_are_the_images_held_out_metrics_are_those(pair):
  batch: Any = {"image": stubs.images()}
  found = [
    jax.jit(run.task.evaluate)(run.params, batch, inputs_of(run))
    for run in pair
  ]
  jax.tree.map(np.testing.assert_array_equal, *found)


def test_in_latents_that_are_the_images_samples_are_those(pair):
  pixels, latents = pair
  options = {"seed": 3, "sampler": "heun", "steps": 4}
  np.testing.assert_array_equal(
    latents.sample(3, **options), pixels.sample(3, **options)
  )
  images = stubs.images(2)
  np.testing.assert_array_equal(
    latents.edit(images, steps=4, sampler="heun"),
    pixels.edit(images, steps=4, sampler="heun"),
  )


@pytest.mark.parametrize(
  ("codec", "shape", "cell"),
  [
    (stubs.identity(), stubs.SHAPE, 1),
    (stubs.linear(), (1, 1, stubs.D), 0),
    (stubs.small_autoencoder(latent="tokens"), (2, 2, stubs.D), 0),
  ],
)
def test_decoding_undoes_packing_and_normalization(codec, shape, cell):
  model = {} if shape[0] == 1 else {"patch_size": 1}
  space = stubs.task_of(codec, model=model).space
  assert space is not None and (space.shape, space.cell) == (shape, cell)
  z = np.random.default_rng(0).normal(2, 3, (64, *shape)).astype(np.float32)
  frozen = {"codec": codec.params, NUMBERS: space.fit(z)}
  x = normalize(stubs.images())
  plain, states = codec.task.codec(codec.params), space.codec(frozen, None)
  latents = states.encode(x)
  assert latents.shape == (4, *shape)
  expected = plain.decode(plain.encode(x))
  np.testing.assert_allclose(states.decode(latents), expected, atol=1e-5)


def test_previews_name_the_unit_of_their_noise():
  """A noise of 0.5 is not a quarter of black to white in latents."""
  pixels, latents = (stubs.task_of(x) for x in (None, stubs.identity()))
  assert "black to white is 2" in pixels.preview_rows[1]
  assert "normalized latents" in latents.preview_rows[1]


@pytest.mark.parametrize("how", ["channel", "whiten"])
def test_states_have_the_standard_deviation_of_sigma_data(how):
  codec = stubs.linear()
  task = stubs.task_of(codec, latent={"normalize": how})
  space, params = task.space, codec.params
  assert space is not None
  x = stubs.images(4096)
  unfitted = {"codec": params, NUMBERS: dict(space.numbers)}
  keys = jax.random.split(jax.random.key(0), len(x))
  z = np.asarray(space.states({"image": x[:2048]}, keys[:2048], unfitted))
  fitted = {"codec": params, NUMBERS: space.fit(z)}
  for name, value in space.numbers.items():
    assert fitted[NUMBERS][name].shape == value.shape
  held_out = space.states({"image": x[2048:]}, keys[2048:], fitted)
  flat = np.asarray(held_out).reshape(2048, -1)
  # a standard error is .011 of the mean, and 1.6% of the deviation
  np.testing.assert_allclose(flat.mean(0), 0, atol=0.04)
  np.testing.assert_allclose(flat.std(0), 0.5, rtol=0.06)


def test_states_of_a_vae_are_drawn_from_its_posteriors():
  log_variance = -2.0
  task = stubs.task_of(stubs.linear(log_variance))
  codec, space = stubs.linear(log_variance), task.space
  assert space is not None
  n = 4000
  frozen = {"codec": codec.params, NUMBERS: dict(space.numbers)}
  frozen[NUMBERS]["forward"] = 2 * np.eye(stubs.D, dtype=np.float32)
  batch: Any = {"image": np.repeat(stubs.images(1), n, axis=0)}
  keys = jax.random.split(jax.random.key(0), n)
  states = np.asarray(space.states(batch, keys, frozen)).reshape(n, -1)
  expected = 4 * np.exp(log_variance)
  error = expected * np.sqrt(2 / n)
  np.testing.assert_allclose(states.var(0), expected, atol=4 * error)
  mean = space.codec(frozen, None).encode(normalize(batch["image"][:1]))
  np.testing.assert_allclose(
    states.mean(0),
    np.asarray(mean).reshape(-1),
    atol=4 * np.sqrt(expected / n),
  )


@pytest.mark.parametrize("log_variance", [None, -2.0])
def test_the_loss_of_stored_latents_is_that_of_images(log_variance):
  codec = stubs.linear(log_variance)
  task = stubs.task_of(codec)
  cached = stubs.task_of(codec, latent={"views": 2})
  assert cached.space is not None and cached.space.stored is not None
  assert cached.batch_fields == tuple(cached.space.stored.shapes)
  assert len(cached.batch_fields) == (1 if log_variance is None else 2)
  images = stubs.images()
  stored: Any = cached.space.stored.encode(codec.params, images)
  for name, shape in cached.space.stored.shapes.items():
    assert stored[name].shape == (4, *shape)
  params = stubs.random_params(task)
  frozen = stubs.companions(codec).frozen(task)
  inputs = LossInputs(frozen=frozen)
  fly = task.loss(params, {"image": images}, KEYS, inputs)[0]
  read = cached.loss(params, dict(stored), KEYS, inputs)[0]
  np.testing.assert_allclose(read, fly, rtol=1e-6)


def test_no_gradient_reaches_the_codec():
  codec = stubs.small_autoencoder()
  task = stubs.task_of(codec)
  params = stubs.random_params(task)
  frozen = stubs.companions(codec).frozen(task)

  def loss(frozen):
    inputs = LossInputs(frozen=frozen)
    return task.loss(params, {"image": stubs.images()}, KEYS, inputs)[0]

  found = jax.jit(jax.grad(loss))(frozen)
  assert all(not np.any(x) for x in jax.tree.leaves(found["codec"]))


def test_weights_of_the_codec_are_no_constants_of_the_step():
  codec = stubs.small_autoencoder(width=64)
  task = stubs.task_of(codec)
  params = stubs.random_params(task)
  frozen = stubs.companions(codec).frozen(task)
  biggest = max(x.nbytes for x in jax.tree.leaves(codec.params))
  assert biggest > 4096

  def loss(params, frozen):
    inputs = LossInputs(frozen=frozen)
    return task.loss(params, {"image": stubs.images()}, KEYS, inputs)[0]

  traced = jax.make_jaxpr(jax.grad(loss))(params, frozen)
  constants = [x for x in traced.consts if isinstance(x, jax.Array)]
  sizes = [x.size * x.dtype.itemsize for x in constants]
  assert max(sizes, default=0) <= 4096
  # one program, another codec, another loss
  compiled = jax.jit(loss)
  other = stubs.small_autoencoder(width=64).params
  other = jax.tree.map(lambda x: x + 0.05, other)
  first, second = (
    compiled(params, frozen | {"codec": x}) for x in (codec.params, other)
  )
  assert compiled._cache_size() == 1 and first != second  # pyright: ignore


VECTORS = stubs.linear()


@pytest.mark.parametrize(
  ("changes", "says"),
  [
    ({"stages": {"resolution": (16,)}}, "stages.resolution=16: expected 8"),
    ({"data": {"channels": 3}}, "data.channels=3: expected 1"),
  ],
)
def test_images_that_the_codec_does_not_know_are_refused(changes, says):
  with pytest.raises(UserError) as e:
    stubs.task_of(VECTORS, **changes)
  assert str(e.value).startswith(says) and "latent.run=runs/ae" in str(e.value)


def test_vectors_have_a_model_of_vectors_and_only_they():
  grid = stubs.identity()
  vectors = dataclasses.replace(grid.task, latent_shape=(stubs.D,))
  with pytest.raises(UserError, match="^model.name=dit: expected mlp"):
    config = parse(stubs.config_of(grid))
    found = dataclasses.replace(grid, task=vectors)
    families.build(config, {}, companions=stubs.companions(found))
  with pytest.raises(UserError, match="^model.name=mlp: expected latents"):
    config = parse(stubs.config_of(VECTORS))
    families.build(config, {}, companions=stubs.companions(grid))
