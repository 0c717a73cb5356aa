"""The autoencoder of latent diffusion: its sizes; `tests/interop` compares its
outputs and the normalization of its latents with diffusers."""

import jax
import jax.numpy as jnp

from jaxgen.config.kl_autoencoder import KLAutoencoderConfig
from jaxgen.models.build import build


def test_the_default_has_the_size_of_stable_diffusion_s():
  model = build(KLAutoencoderConfig(), resolution=64, channels=3)
  images = jnp.zeros((1, 64, 64, 3))
  params = jax.eval_shape(model.init, jax.random.key(0), images)
  assert sum(x.size for x in jax.tree.leaves(params)) == 83_653_863


def test_latents_are_halved_between_levels_at_any_resolution():
  options = KLAutoencoderConfig(
    widths=(4, 4, 8), num_res_blocks=1, norm_groups=2, latent_channels=3
  )
  model = build(options, resolution=8, channels=2)
  params = jax.eval_shape(
    model.init, jax.random.key(0), jnp.zeros((1, 8, 8, 2))
  )
  encode = lambda p, x: model.apply(p, x, method="posterior")  # noqa: E731
  images = jax.ShapeDtypeStruct((2, 16, 32, 2), jnp.float32)
  mean, log_variance = jax.eval_shape(encode, params, images)
  assert mean.shape == log_variance.shape == (2, 4, 8, 3)
  decode = lambda p, z: model.apply(p, z, method="decode")  # noqa: E731
  assert jax.eval_shape(decode, params, mean).shape == (2, 16, 32, 2)
