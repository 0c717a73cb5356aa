"""Laws of a denoiser that grows."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.denoisers import ProgressiveUNetConfig
from jaxgen.diffusion import edm
from jaxgen.images import downsample_matrix, resize
from jaxgen.laws.law import Law
from jaxgen.models.build import build
from jaxgen.models.network import Network
from jaxgen.models.resampling import remaining_noise
from jaxgen.train.transfer import transfer_params
from jaxgen.typing import Array, Params

SIGMA = 0.7


def _denoiser_difference() -> float:
  """Largest difference between a denoiser that has just grown from 4 to 6
  pixels and the formula."""
  (small, old), (large, new) = _growing()
  x = jax.random.normal(jax.random.key(0), (1, 6, 6, 1))
  sigma = jnp.full(1, SIGMA)
  low = resize(x, 4)
  below = _denoise(small, old, low, sigma=remaining_noise(6, 4) * sigma)
  skip = edm.scalings(jnp.asarray(SIGMA)).c_skip
  expected = resize(below, 6) + skip * (x - resize(low, 6))
  actual = _denoise(large, new, x, sigma=sigma)
  return float(jnp.abs(actual - expected).max())


def _mapped_denoiser_difference() -> float:
  """The same with an uneven noise map."""
  (small, old), (large, new) = _growing(noise_map=True)
  x, spread = jax.random.normal(jax.random.key(0), (2, 1, 6, 6, 1))
  sigma, ratio = SIGMA * jnp.exp(spread), remaining_noise(6, 4)
  squares = np.square(downsample_matrix(6, 4))
  squares /= squares.sum(1, keepdims=True)
  variance = jnp.einsum("ai,bj,nijc->nabc", squares, squares, sigma**2)
  low, level = resize(x, 4), ratio * jnp.sqrt(variance)
  below = _denoise(small, old, low, sigma=level)
  noise = ratio**2 * sigma / resize(level, 6) * resize((low - below) / level, 6)
  skip = edm.scalings(sigma).c_skip
  expected = skip * (x - sigma * noise) + (1 - skip) * resize(below, 6)
  actual = _denoise(large, new, x, sigma=sigma)
  return float(jnp.abs(actual - expected).max())


def _map_difference() -> float:
  """Largest difference between a grown denoiser of a constant noise map and of
  its level."""
  _, (large, new) = _growing(noise_map=True)
  x = jax.random.normal(jax.random.key(0), (1, 6, 6, 1))
  sigma = jnp.full(1, SIGMA)
  level = _denoise(large, new, x, sigma=sigma)
  mapped = _denoise(large, new, x, sigma=jnp.full(x.shape, SIGMA))
  return float(jnp.abs(mapped - level).max())


def _growing(
  *, noise_map: bool = False
) -> tuple[tuple[Network, Params], tuple[Network, Params]]:
  """A network of 4 pixels, and the same just grown to 6, with parameters."""
  config = ProgressiveUNetConfig(
    width=8,
    multipliers=(1,),
    attention=(False,),
    num_res_blocks=1,
    head_dim=8,
    resolutions=(4, 6),
    dtype="float32",
  )
  images = ((edm.NOISE_MAP, 1),) * noise_map
  small, large = (
    build(config, resolution=r, channels=1, image_conditions=images)
    for r in (4, 6)
  )
  x = jnp.zeros((1, 6, 6, 1))
  old = perturb(initialize(small, x[:, :4, :4], jnp.zeros(1)))
  fresh = initialize(large, x, jnp.zeros(1))
  new = transfer_params(old, fresh, large.rules(small))
  return (small, old), (large, new)


def initialize(net: Network, *inputs: Array) -> Params:
  """Fresh parameters."""
  return jax.jit(net.init)(jax.random.key(0), *inputs)["params"]


def apply(net: Network, params: Params, *inputs: Any) -> Array:
  """The output of a network."""
  output: Any = net.apply({"params": params}, *inputs)
  return output


def _denoise(net: Network, params: Params, x: Array, *, sigma: Array) -> Array:
  denoise = edm.precondition(
    lambda x, c, cond: apply(net, params, x, c, cond), noise_map=True
  )
  return denoise(x, sigma)


def perturb(params: Params) -> Params:
  """Parameters without zeros."""
  shake = lambda p: p + 0.1 * jnp.cos(jnp.arange(p.size)).reshape(p.shape)  # noqa: E731
  return jax.tree.map(shake, params)


LAWS = (
  Law(
    name="denoiser with a new level - formula",
    source="Up D(Down x, r s) + c_skip (x - Up Down x)",
    expected=0,
    tolerance=1e-5,
    measure=_denoiser_difference,
  ),
  Law(
    name="denoiser with a new level and a noise map - formula",
    source="mean of the noise of a pixel given that of its area average",
    expected=0,
    tolerance=1e-5,
    measure=_mapped_denoiser_difference,
  ),
  Law(
    name="grown denoiser: constant noise map - its level",
    source="EDM",
    expected=0,
    tolerance=1e-5,
    measure=_map_difference,
  ),
)
