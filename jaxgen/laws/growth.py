"""Laws of stages: what is kept when a network changes its resolution."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.models import PatchAutoencoderConfig, ProgressiveUNetConfig
from jaxgen.diffusion import edm
from jaxgen.images import enlarging, resize
from jaxgen.laws.law import law
from jaxgen.models.build import build
from jaxgen.models.resampling import (
  remaining_noise,
  resize_input_kernel,
  resize_output_kernel,
)
from jaxgen.train.transfer import transfer_params
from jaxgen.typing import Params

SIGMA = 0.7


def _tokens_differ() -> float:
  """Of 4 x 4 patches and of the same enlarged to 6 x 6."""
  x, w = jax.random.normal(jax.random.key(0), (2, 16, 16))
  b = np.kron(enlarging(4, 6), enlarging(4, 6))
  return float(jnp.abs(x @ b.T @ resize_input_kernel(w, 4, 6) - x @ w).max())


def _pixels_differ() -> float:
  """Of an enlarged patch and of the patch that enlarged weights paint."""
  z, w = jax.random.normal(jax.random.key(0), (2, 16, 16))
  b = np.kron(enlarging(4, 6), enlarging(4, 6))
  return float(jnp.abs(z @ resize_output_kernel(w, 4, 6) - z @ w @ b.T).max())


def _growth_differs() -> float:
  """Of a denoiser that has just grown from 4 to 6 pixels, and the formula."""
  config = ProgressiveUNetConfig(
    width=8,
    multipliers=(1,),
    attention=(False,),
    num_res_blocks=1,
    head_dim=8,
    resolutions=(4, 6),
    dtype="float32",
  )
  small, large = (build(config, resolution=r, channels=1) for r in (4, 6))
  key = jax.random.key(0)
  x = jax.random.normal(key, (1, 6, 6, 1))

  def start(net):
    small = x[:, : net.resolution, : net.resolution]
    return jax.jit(net.init)(key, small, jnp.zeros(1))["params"]

  before = _shaken(start(small))
  after = transfer_params(before, start(large), {})

  def denoise(net, params, x, sigma):
    network = lambda x, c, cond: net.apply({"params": params}, x, c)  # noqa: E731
    return edm.precondition(network)(x, jnp.full(1, sigma))

  low = resize(x, 4)
  below = denoise(small, before, low, remaining_noise(6, 4) * SIGMA)
  skip = edm.scalings(jnp.asarray(SIGMA)).c_skip
  want = resize(below, 6) + skip * (x - resize(low, 6))
  return float(jnp.abs(denoise(large, after, x, SIGMA) - want).max())


def _finer_differs() -> float:
  """Of an autoencoder that has just gone from 4 to 16 patches, and the
  formula."""
  config = PatchAutoencoderConfig(
    patch_size=4,
    grids=(2, 4),
    width=8,
    heads=2,
    encoder_depth=1,
    decoder_depth=1,
    latent_dim=8,
    patch_features=4,
    dtype="float32",
  )
  small, large = (build(config, resolution=r, channels=1) for r in (8, 16))
  key = jax.random.key(0)
  x = jax.random.normal(key, (1, 16, 16, 1))
  start = lambda net, x: jax.jit(net.init)(key, x)["params"]  # noqa: E731
  before = _shaken(start(small, resize(x, 8)))
  after = transfer_params(before, start(large, x), large.rules(small))
  want = resize(small.apply({"params": before}, resize(x, 8)), 16)
  return float(jnp.abs(large.apply({"params": after}, x) - want).max())


def _shaken(params: Params) -> Params:
  """Parameters that are nowhere zero."""
  shake = lambda p: p + 0.1 * jnp.cos(jnp.arange(p.size)).reshape(p.shape)  # noqa: E731
  return jax.tree.map(shake, params)


FLEXIVIT = "FlexiViT, section 3.3"
LAWS = (
  law("tokens of enlarged patches", FLEXIVIT, 0, 1e-4, _tokens_differ),
  law("pixels of enlarged patches", FLEXIVIT, 0, 1e-4, _pixels_differ),
  law(
    "noise left by means of 2 x 2 pixels",
    "1 / 2",
    0.5,
    1e-6,
    lambda: remaining_noise(64, 32),
  ),
  law(
    "a denoiser that has just grown",
    "Up D(Down x, r s) + c_skip (x - Up Down x)",
    0,
    1e-5,
    _growth_differs,
  ),
  law(
    "an autoencoder that has just gone to more patches",
    "Up D(Down x)",
    0,
    1e-5,
    _finer_differs,
  ),
)
