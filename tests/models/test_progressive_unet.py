"""The growing U-Net, compared with the formula of a new level."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise

from jaxgen.config.denoisers import ProgressiveUNetConfig
from jaxgen.diffusion import edm
from jaxgen.images import downsample_matrix, resize
from jaxgen.models.build import build
from jaxgen.models.resampling import remaining_noise
from jaxgen.train.transfer import transfer_params
from jaxgen.trees import named

OPTIONS = ProgressiveUNetConfig(
  width=8,
  multipliers=(1,),
  attention=(False,),
  num_res_blocks=1,
  head_dim=8,
  resolutions=(4, 6, 8),
  outer_width=8,
  dtype="float32",
)


@functools.cache
def model(side, mapped=False):
  return build(
    OPTIONS,
    resolution=side,
    channels=1,
    condition_sizes=(("rock", 3),),
    image_conditions=(("noise_map", 1),) * mapped,
  )


def fresh(net):
  x = jnp.zeros((1, net.resolution, net.resolution, 1))
  return net.init(jax.random.key(net.resolution), x, jnp.zeros(1))["params"]


def nonzero(params):
  """Numbers everywhere; how far blocks have faded in is left alone."""
  shake = lambda x: x + 0.2 * np.random.default_rng(x.size).normal(size=x.shape)  # noqa: E731
  leaves = {
    k: v if "fade" in k else shake(v).astype(v.dtype)
    for k, v in named(params).items()
  }
  return jax.tree.unflatten(jax.tree.structure(params), leaves.values())


def denoiser(net, params):
  network = jax.jit(
    lambda x, c, cond: net.apply({"params": params}, x, c, cond)
  )
  return edm.precondition(
    network, net.sigma_data, noise_map=bool(net.image_conditions)
  )


@pytest.fixture(scope="module")
def grown():
  """Parameters at 4 pixels, after one growth to 6, and after two to 8."""
  found = [nonzero(fresh(model(4)))]
  for old, new in ((4, 6), (6, 8)):
    before = model(old).set_fade(found[-1], 1.0)
    found.append(nonzero(transfer_params(before, fresh(model(new)), {})))
    kept = named(before)
    for name, leaf in kept.items():  # shared by name: bit-equal
      found[-1] = replaced(found[-1], name, leaf)
  return found


def mapped(params, side):
  """Parameters of a network of noise maps, from those of one without."""
  net: Any = model(side, True)
  return transfer_params(params, fresh(net), net.rules(model(side)))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_constant_map_is_the_plain_denoiser_at_every_stage(grown, level):
  """And the weights of a run without maps begin as they were."""
  side = OPTIONS.resolutions[level]
  params = model(side).set_fade(grown[level], 0.5)
  x, s = noise((2, side, side, 1)), jnp.array([0.1, 2.0])
  even = jnp.broadcast_to(edm.per_image(s), x.shape)
  want = denoiser(model(side), params)(x, s)
  told = denoiser(model(side, True), mapped(params, side))
  np.testing.assert_allclose(told(x, s), want, atol=5e-5)
  np.testing.assert_allclose(told(x, even), want, atol=5e-5)


@pytest.mark.parametrize("level", [1, 2])
def test_a_new_level_is_the_enlarged_denoiser_of_maps(grown, level):
  """As without maps, with the mean of each pixel's noise given that of its
  area average."""
  small, large = OPTIONS.resolutions[level - 1 : level + 1]
  inner = model(small).set_fade(grown[level - 1], 1.0)
  x, s = noise((2, large, large, 1)), jnp.exp(noise((2, large, large, 1), 1))
  squares = np.square(downsample_matrix(large, small))
  squares /= squares.sum(1, keepdims=True)
  r = remaining_noise(large, small)
  variance = jnp.einsum("ai,bj,nijc->nabc", squares, squares, s**2)
  low, t = resize(x, small), r * jnp.sqrt(variance)
  below = denoiser(model(small, True), mapped(inner, small))(low, t)
  n = r**2 * s / resize(t, large) * resize((low - below) / t, large)
  skip = edm.scalings(s).c_skip
  want = skip * (x - s * n) + (1 - skip) * resize(below, large)
  got = denoiser(model(large, True), mapped(grown[level], large))(x, s)
  np.testing.assert_allclose(got, want, atol=1e-4)


def test_known_pixels_stay_as_they_are_beside_unseen_ones(grown):
  """Though their area averages are unseen."""
  x = noise((64, 8, 8, 1), 2)
  unseen = noise(x.shape, 3) > 0.5
  s = jnp.where(unseen, 1e3, 0.02)
  seen = jnp.where(unseen, 1e3 * noise(x.shape, 4), x)
  got = denoiser(model(8, True), mapped(grown[2], 8))(seen, s)
  assert jnp.isfinite(got).all()
  off = jnp.abs(jnp.where(unseen, 0.0, got - x))
  assert float(off.max()) < 5 * 0.02


def replaced(params, name, leaf):
  leaves = named(params) | {name: leaf}
  return jax.tree.unflatten(jax.tree.structure(params), leaves.values())


@pytest.mark.parametrize("sigma", [0.002, 0.5, 80.0])
@pytest.mark.parametrize("level", [1, 2])
def test_before_it_fades_in_a_level_is_the_enlarged_denoiser(
  grown, level, sigma
):
  """D(x, s) = Up D'(Down x, r s) + c_skip (x - Up Down x), to rounding, though
  all the weights of the new level have values."""
  small, large = OPTIONS.resolutions[level - 1 : level + 1]
  x = sigma * jax.random.normal(jax.random.key(1), (2, large, large, 1)) + 0.3
  s, cond = jnp.full(2, sigma), {"rock": jnp.array([1, -1])}
  low = resize(x, small)
  inner = model(small).set_fade(grown[level - 1], 1.0)
  old = denoiser(model(small), inner)
  below = old(low, remaining_noise(large, small) * s, cond)
  skip = edm.per_image(edm.scalings(s).c_skip)
  want = resize(below, large) + skip * (x - resize(low, large))
  got = denoiser(model(large), grown[level])(x, s, cond)
  np.testing.assert_allclose(got, want, atol=5e-5)
  faded = model(large).set_fade(grown[level], 0.5)
  apart = denoiser(model(large), faded)(x, s, cond) - want
  assert float(jnp.abs(apart).max()) > 1e-3 * min(sigma, 1)


def test_a_new_level_ends_in_zeros():
  """So even when faded in it changes nothing before it is trained."""
  net: Any = model(6)
  before = nonzero(fresh(model(4)))
  params = transfer_params(before, fresh(net), {})
  x, s = jax.random.normal(jax.random.key(0), (2, 6, 6, 1)), jnp.ones(2)
  one = denoiser(net, net.set_fade(params, 1.0))(x, s)
  np.testing.assert_allclose(one, denoiser(net, params)(x, s), atol=1e-6)


def test_smaller_resolutions_stay_within_reach(grown):
  """The weights of the largest make images of all."""
  x, s = jnp.ones((1, 4, 4, 1)), jnp.ones(1)
  want = denoiser(model(4), grown[0])(x, s)
  np.testing.assert_allclose(denoiser(model(4), grown[2])(x, s), want)


def test_no_resolution_stands_in_a_name():
  assert not any(c in name for name in named(fresh(model(8))) for c in "468")


def test_how_far_a_level_has_faded_in_is_never_trained():
  net: Any = model(6)
  params = net.set_fade(nonzero(fresh(net)), 0.5)
  x, s = jnp.ones((1, 6, 6, 1)), jnp.ones(1)
  loss = lambda p: jnp.sum(net.apply({"params": p}, x, s) ** 2)  # noqa: E731
  grads = jax.grad(loss)(params)
  assert float(grads["outer_1_fade"]) == 0
