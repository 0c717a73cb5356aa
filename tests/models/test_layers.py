from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models import layers
from jaxgen.models.layers import Blocks, RMSNorm


def test_rms_norm_gives_unit_mean_square_at_any_scale():
  x = 100 * jax.random.normal(jax.random.key(0), (5, 64))
  norm: Any = RMSNorm()
  y = norm.apply(norm.init(jax.random.key(1), x), x)
  np.testing.assert_allclose(jnp.mean(y**2, -1), 1.0, rtol=1e-4)


@pytest.mark.parametrize("scan", [False, True])
def test_blocks_start_as_the_identity_and_then_are_not(scan):
  blocks: Any = Blocks(depth=3, heads=2, mlp_ratio=4, scan=scan)
  x = jax.random.normal(jax.random.key(0), (2, 5, 16))
  params = blocks.init(jax.random.key(1), x, False)
  np.testing.assert_array_equal(blocks.apply(params, x, False), x)
  moved = jax.tree.map(lambda p: p + 0.1, params)
  assert np.abs(blocks.apply(moved, x, False) - x).max() > 0.1


def test_scanned_blocks_are_the_unrolled_ones():
  x = jax.random.normal(jax.random.key(0), (2, 5, 16))
  unrolled: Any = Blocks(depth=3, heads=2, mlp_ratio=4)
  params = unrolled.init(jax.random.key(1), x, False)["params"]
  keys = iter(jax.random.split(jax.random.key(2), 100))
  noise = lambda p: p + 0.1 * jax.random.normal(next(keys), p.shape)  # noqa: E731
  params = jax.tree.map(noise, params)
  layers = [params[f"block_{i}"] for i in range(3)]
  stacked = {"blocks": jax.tree.map(lambda *p: jnp.stack(p), *layers)}
  a = unrolled.apply({"params": params}, x, False)
  b: Any = Blocks(depth=3, heads=2, mlp_ratio=4, scan=True).apply(
    {"params": stacked}, x, False
  )
  np.testing.assert_allclose(a, b, atol=1e-5)


def test_attention_sees_every_token():
  x = jax.random.normal(jax.random.key(0), (1, 6, 16))
  blocks: Any = Blocks(depth=1, heads=2, mlp_ratio=4)
  params = jax.tree.map(
    lambda p: p + 0.05, blocks.init(jax.random.key(1), x, False)
  )
  last = lambda x: blocks.apply(params, x, False)[0, -1].sum()  # noqa: E731
  gradient = jax.grad(last)(x)
  assert (jnp.abs(gradient[0]).max(-1) > 1e-6).all()


def test_no_layers_are_no_layers_scanned_or_not():
  x = jnp.ones((1, 4, 8))
  for scan in (False, True):
    blocks = Blocks(depth=0, heads=2, mlp_ratio=4, scan=scan)
    params = blocks.init(jax.random.key(0), x, False)
    np.testing.assert_array_equal(blocks.apply(params, x, False), x)


def test_what_is_computed_again_changes_no_gradient():
  """And takes less memory, in layers that are scanned."""
  x, gradients, sizes = jnp.ones((4, 64, 32)), [], []
  for remat in ("none", "blocks", "full"):
    net: Any = layers.Blocks(
      depth=6, heads=2, mlp_ratio=4, dropout=0.1, scan=True, remat=remat
    )
    params = jax.jit(net.init, static_argnums=2)(jax.random.key(0), x, False)
    params = jax.tree.map(lambda p: p + 0.05 * jnp.cos(p + 1), params)
    loss = lambda p, n=net: jnp.sum(  # noqa: E731
      n.apply(p, x, True, rngs={"dropout": jax.random.key(1)}) ** 2
    )
    program: Any = jax.jit(jax.grad(loss)).lower(params).compile()
    sizes.append(program.memory_analysis().temp_size_in_bytes)
    gradients.append(program(params))
  close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)  # noqa: E731
  for other in gradients[1:]:
    jax.tree.map(close, other, gradients[0])
  assert sizes[2] < sizes[1] < sizes[0]
