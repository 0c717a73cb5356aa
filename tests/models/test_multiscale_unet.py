"""The U-Net that processes the image at several sizes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.denoisers import MultiScaleUNetConfig
from jaxgen.models.build import build
from jaxgen.trees import named


def make(scales):
  options = MultiScaleUNetConfig(
    width=8,
    multipliers=(1,),
    attention=(False,),
    num_res_blocks=1,
    head_dim=8,
    scales=scales,
    scale_width=8,
    dtype="float32",
  )
  return build(options, resolution=8, channels=1)


def nonzero(net):
  """Numbers everywhere, as in a network that has been trained."""
  x = jnp.zeros((1, 8, 8, 1))
  params = net.init(jax.random.key(8), x, jnp.zeros(1))["params"]
  shake = lambda x: x + 0.2 * np.random.default_rng(x.size).normal(size=x.shape)  # noqa: E731
  leaves = [shake(v).astype(v.dtype) for v in named(params).values()]
  return jax.tree.unflatten(jax.tree.structure(params), leaves)


def test_several_sizes_of_the_image_reach_the_network():
  net: Any = make((4, 8, 12))
  params = nonzero(net)
  x = jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
  answer = net.apply({"params": params}, x, jnp.ones(2))
  assert answer.shape == x.shape
  far = lambda y: float(jnp.abs(y - answer).max())  # noqa: E731
  for i in range(3):
    name = f"scale_{i}_conv"
    without = params | {name: jax.tree.map(jnp.zeros_like, params[name])}
    assert far(net.apply({"params": without}, x, jnp.ones(2))) > 1e-4
  one = make((4, 4, 4))
  assert far(one.apply({"params": params}, x, jnp.ones(2))) > 1e-4
