from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models import layers
from jaxgen.models.layers import Blocks, RMSNorm, patchify, unpatchify


def test_patches_keep_their_pixels_and_their_order():
  images = jax.random.normal(jax.random.key(0), (2, 8, 12, 3))
  patches = patchify(images, 4)
  assert patches.shape == (2, 6, 48)
  for row in range(2):
    for col in range(3):
      block = images[:, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
      np.testing.assert_array_equal(
        patches[:, 3 * row + col], block.reshape(2, 48)
      )
  np.testing.assert_array_equal(unpatchify(patches, 4, grid=(2, 3)), images)


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


def _attention_float64(q, k, v):
  """Scaled dot-product attention (arXiv:1706.03762, eq. 1) in numpy."""
  q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
  logits = np.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(q.shape[-1])
  weights = np.exp(logits - logits.max(-1, keepdims=True))
  weights /= weights.sum(-1, keepdims=True)
  return np.einsum("bhqk,bkhd->bqhd", weights, v)


@pytest.mark.parametrize("gain", [1.0, 30.0, 1e4])
def test_attention_equals_float64_at_any_gain(gain):
  """Logits up to 1e9: the weights become one-hot, and none is NaN."""
  q, k, v = jax.random.normal(jax.random.key(0), (3, 2, 12, 2, 8))
  got = layers.attend(gain * q, gain * k, v)
  want = _attention_float64(gain * q, gain * k, v)
  np.testing.assert_allclose(got, want, atol=1e-6 * max(gain, 1) ** 0.5)


def test_gradient_of_attention_is_that_of_its_differences():
  point = jax.random.normal(jax.random.key(0), (3, 1, 5, 2, 4))
  along = jax.random.normal(jax.random.key(1), (3, 1, 5, 2, 4))
  total = lambda x: jnp.sum(jnp.sin(layers.attend(*x)))  # noqa: E731
  x, d = np.asarray(point, np.float64), np.asarray(along, np.float64)
  shifted = lambda t: np.sin(_attention_float64(*(x + t * d))).sum()  # noqa: E731
  want = (shifted(1e-4) - shifted(-1e-4)) / 2e-4
  got = jnp.vdot(jax.grad(total)(point), along)
  np.testing.assert_allclose(got, want, rtol=1e-4)
  np.testing.assert_allclose(jax.jvp(total, (point,), (along,))[1], want, 1e-4)


@pytest.mark.parametrize("n", [9, 12])
def test_attention_in_chunks_is_attention(n, monkeypatch):
  """Values, gradients and derivatives; 9 is no multiple of the chunk."""
  q, k, v = jax.random.normal(jax.random.key(0), (3, 2, n, 2, 4))
  total = lambda x: jnp.sum(jnp.sin(layers.attend(*x)))  # noqa: E731
  along = lambda x: jax.jvp(total, (x,), (x[::-1],))  # noqa: E731
  all_of = lambda x: (layers.attend(*x), jax.grad(total)(x), along(x))  # noqa: E731
  point = jnp.stack([q, k, v])
  want = all_of(point)
  monkeypatch.setattr(layers, "UNCHUNKED_TOKENS", 8)
  monkeypatch.setattr(layers, "QUERY_CHUNK", 4)
  close = lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5)  # noqa: E731
  jax.tree.map(close, all_of(point), want)


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


def test_fused_attention_is_left_where_derivatives_go_forwards(monkeypatch):
  """As cuDNN's has none: here the call of it fails, for there is no GPU."""
  monkeypatch.setattr(layers, "UNCHUNKED_TOKENS", 4)
  monkeypatch.setattr(layers.device, "has_cudnn_attention", lambda *_: True)
  q = jax.random.normal(jax.random.key(0), (1, 8, 2, 64), jnp.bfloat16)
  ask = lambda x: layers.attend(x, x, x)  # noqa: E731
  with layers.attention_tracing("forward_mode"):
    value, moved = jax.jvp(ask, (q,), (q,))
  assert jnp.isfinite(value).all() and jnp.isfinite(moved).all()
  with pytest.raises(Exception, match="(?i)cudnn|cuda|gpu"):
    ask(q)


def test_fused_attention_is_given_up_where_it_does_not_work(monkeypatch):
  """Here on a CPU that is said to be a GPU: chunks take its place."""
  monkeypatch.setattr(layers, "UNCHUNKED_TOKENS", 4)
  q = jax.random.normal(jax.random.key(0), (1, 8, 2, 64), jnp.bfloat16)
  want = layers.attend(q, q, q)
  layers.device.has_cudnn_attention.cache_clear()
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  got = jax.jit(layers.attend)(q, q, q)
  layers.device.has_cudnn_attention.cache_clear()
  np.testing.assert_allclose(
    np.asarray(got, np.float32), np.asarray(want, np.float32), atol=0.02
  )


def test_fused_attention_is_for_an_even_number_of_tokens(monkeypatch):
  """With 1,025 tokens an H200 had no gradient: here it would not be fused."""
  monkeypatch.setattr(layers, "UNCHUNKED_TOKENS", 4)
  monkeypatch.setattr(layers.device, "has_cudnn_attention", lambda *_: True)
  q = jax.random.normal(jax.random.key(0), (1, 9, 2, 64), jnp.bfloat16)
  got = layers.attend(q, q, q)
  with layers.attention_tracing("forward_mode"):
    want = layers.attend(q, q, q)
  np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_overlapping_patches_are_summed_with_weights(overlap):
  rows, columns, size = 2, 3, 4
  side = size + 2 * overlap
  shape = 2, rows * columns, side, side, 3
  patches = np.random.default_rng(0).normal(size=shape)
  weights = np.outer(*[layers.patch_window(size, overlap)] * 2)[..., None]
  padded = (rows * size + 2 * overlap, columns * size + 2 * overlap)
  total, covered = np.zeros((2, *padded, 3)), np.zeros((*padded, 1))
  for i in range(rows * columns):
    top, left = (size * x for x in divmod(i, columns))
    place = slice(top, top + side), slice(left, left + side)
    total[:, *place] += weights * patches[:, i]
    covered[place] += weights
  inside = (total / covered)[:, overlap:, overlap:]
  image = layers.overlap_patches(
    jnp.asarray(patches.reshape(2, rows * columns, -1)),
    size,
    overlap=overlap,
    grid=(rows, columns),
  )
  np.testing.assert_allclose(
    image, inside[:, : rows * size, : columns * size], atol=1e-5
  )


@pytest.mark.parametrize("overlap", [0, 1, 2, 4])
def test_windows_of_neighboring_patches_sum_to_one(overlap):
  window = layers.patch_window(8, overlap)
  total = np.zeros(8 * 3 + 2 * overlap)
  for start in (0, 8, 16):
    total[start : start + len(window)] += window
  np.testing.assert_allclose(total[8:-8], 1, atol=1e-6)
