"""Laws of the transfer of weights to another resolution."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.models import PatchAutoencoderConfig
from jaxgen.images import resize, upsample_matrix
from jaxgen.laws import growth
from jaxgen.laws.growth import apply, initialize, perturb
from jaxgen.laws.law import Law
from jaxgen.models.build import build
from jaxgen.models.resampling import (
  remaining_noise,
  resize_input_kernel,
  resize_output_kernel,
)
from jaxgen.train.transfer import transfer_params


def _token_difference() -> float:
  """Largest difference between the tokens of 4 x 4 patches and of the same
  patches enlarged to 6 x 6."""
  x, w = jax.random.normal(jax.random.key(0), (2, 16, 16))
  b = np.kron(upsample_matrix(4, 6), upsample_matrix(4, 6))
  tokens = x @ b.T @ resize_input_kernel(w, old=4, new=6)
  return float(jnp.abs(tokens - x @ w).max())


def _patch_difference() -> float:
  """Largest difference between an enlarged patch and the patch from enlarged
  weights."""
  z, w = jax.random.normal(jax.random.key(0), (2, 16, 16))
  b = np.kron(upsample_matrix(4, 6), upsample_matrix(4, 6))
  patch = z @ resize_output_kernel(w, old=4, new=6)
  return float(jnp.abs(patch - z @ w @ b.T).max())


def _autoencoder_difference() -> float:
  """Largest difference between an autoencoder that has just grown from 4 to 16
  patches and the formula."""
  config = PatchAutoencoderConfig(
    patch_size=4,
    overlap=0.25,
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
  x = jax.random.normal(jax.random.key(0), (1, 16, 16, 1))
  old = perturb(initialize(small, resize(x, 8)))
  new = transfer_params(old, initialize(large, x), large.rules(small))
  expected = resize(apply(small, old, resize(x, 8)), 16)
  return float(jnp.abs(apply(large, new, x) - expected).max())


FLEXIVIT = "FlexiViT, section 3.3"
LAWS = (
  Law(
    name="tokens of enlarged patches - tokens",
    source=FLEXIVIT,
    expected=0,
    tolerance=1e-4,
    measure=_token_difference,
  ),
  Law(
    name="patches of enlarged weights - enlarged patches",
    source=FLEXIVIT,
    expected=0,
    tolerance=1e-4,
    measure=_patch_difference,
  ),
  Law(
    name="noise remaining in means of 2 x 2 pixels",
    source="1 / 2",
    expected=0.5,
    tolerance=1e-6,
    measure=lambda: remaining_noise(64, 32),
  ),
  *growth.LAWS,
  Law(
    name="autoencoder with more patches - formula",
    source="Up D(Down x)",
    expected=0,
    tolerance=1e-5,
    measure=_autoencoder_difference,
  ),
)
