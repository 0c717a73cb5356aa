"""An autoencoder with a finer grid of patches, against the previous one."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.config.models import PatchAutoencoderConfig
from jaxgen.images import resize
from jaxgen.models.build import build
from jaxgen.models.pyramid import repeat_tokens
from jaxgen.train.transfer import transfer_params
from jaxgen.trees import named

TOY = PatchAutoencoderConfig(
  patch_size=4,
  width=16,
  heads=2,
  encoder_depth=2,
  decoder_depth=1,
  latent_dim=8,
  patch_features=4,
  dtype="float32",
  grids=(2, 4, 12),
)


@functools.cache
def model(side, **fields) -> Any:
  options = dataclasses.replace(TOY, **fields)
  return build(options, resolution=side, channels=3)


def start(net):
  x = jnp.zeros((1, net.resolution, net.resolution, 3))
  return jax.jit(net.init)(jax.random.key(net.resolution), x)["params"]


def nonzero(net):
  """Numbers everywhere, as in a network that has been trained."""
  draw = lambda x: np.random.default_rng(x.size).normal(size=x.shape)  # noqa: E731
  return jax.tree.map(lambda x: x + 0.1 * draw(x).astype(x.dtype), start(net))


def run(net, params, x):
  return jax.jit(net.apply)({"params": params}, x)


def images(side):
  return jax.random.normal(jax.random.key(0), (2, side, side, 3))


@pytest.mark.parametrize("latent", ["vector", "tokens"])
@pytest.mark.parametrize("sides", [(8, 16), (16, 48), (8, 48)])
def test_it_is_at_first_the_one_before_between_means_and_enlarging(
  sides, latent
):
  """Also where a level is left out, and from 4 to 12 patches a side."""
  small, large = (model(side, latent=latent) for side in sides)
  before = nonzero(small)
  after = transfer_params(before, start(large), large.rules(small))
  x = images(sides[1])
  want = run(small, before, resize(x, sides[0]))
  for side in [n * 4 for n in TOY.grids if sides[0] < n * 4 <= sides[1]]:
    want = resize(want, side)
  np.testing.assert_allclose(run(large, after, x), want, atol=1e-4)


def test_the_latent_of_a_picture_is_carried_over():
  """Exactly that of its means: repeated tokens, read by a share of each."""
  small, large = model(8), model(16)
  before = nonzero(small)
  after = transfer_params(before, start(large), large.rules(small))
  x, encode = images(16), lambda net, p, x: net.apply(p, x, method="encode")
  old = encode(small, {"params": before}, resize(x, 8))
  new = encode(large, {"params": after}, x)
  np.testing.assert_allclose(new, old, atol=1e-5)


def test_a_new_level_learns_from_the_first_step():
  """Zeros that have a gradient, and every one of them."""
  small, large = model(8), model(16)
  params = transfer_params(nonzero(small), start(large), large.rules(small))
  x = images(16)
  loss = lambda p: jnp.mean((large.apply({"params": p}, x) - x) ** 2)  # noqa: E731
  gradient = named(jax.jit(jax.grad(loss))(params))
  for name in ("finer_in_0/kernel", "finer_out_0/kernel", "finer_out_0/bias"):
    assert np.all(np.asarray(gradient[name]) != 0), name
    assert not np.any(named(params)[name])


def test_patches_of_every_level_grow_with_the_image():
  """From 4 to 6 pixels: the same tokens, FlexiViT's rule for each level."""
  small, large = model(16), model(24, patch_size=6)
  after = transfer_params(nonzero(small), start(large), large.rules(small))
  for name in ("patch_in", "finer_in_0"):
    assert after[name]["kernel"].shape == (6 * 6 * 3, 16)
  patches = images(4).reshape(2, 4, 4, 3)
  enlarged = jax.image.resize(patches, (2, 6, 6, 3), "linear")
  for name in ("patch_in", "finer_in_0"):
    new = enlarged.reshape(2, -1) @ after[name]["kernel"]
    old = patches.reshape(2, -1) @ nonzero(small)[name]["kernel"]
    np.testing.assert_allclose(new, old, atol=1e-4)


@pytest.mark.parametrize("grids", [(2, 4, 8), (2, 8), (4, 16)])
def test_levels_go_on_only_below_those_that_come(grids):
  """A level that is left out, or put between, would be another's."""
  old, new = model(16, grids=(1, 4)), model(4 * grids[-1], grids=grids)
  with pytest.raises(ValueError, match=r"model\.grids"):
    new.rules(old)
  assert model(16, grids=(1, 4)).rules(model(4, grids=()))


def test_without_grids_there_is_one_level():
  names = named(start(model(16, grids=())))
  assert not [name for name in names if name.startswith("finer")]


def test_tokens_are_repeated_in_their_place():
  x = jnp.arange(4.0).reshape(1, 4, 1)
  want = [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
  assert repeat_tokens(x, 4).reshape(4, 4).tolist() == want
