"""Building blocks of the transformers: patches, norms, attention, MLP.

Blocks are pre-norm residual and start as the identity (their last layers are
zero-initialized), so that a network of any depth starts as a linear map, and a
block added to a trained network changes nothing until it is trained.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import Primitive
from jax.typing import DTypeLike
from jaxtyping import Float

from jaxgen.config.stages import Remat
from jaxgen.parallel import device
from jaxgen.typing import Array

ZEROS = nn.initializers.zeros
UNCHUNKED_TOKENS = 1024  # up to this many tokens attention is not chunked
QUERY_CHUNK = 256  # queries per chunk
CUDNN_HEAD_DIMS = range(8, 129, 8)  # head dimensions that cuDNN supports

Tokens = Float[Array, "b n d"]
Heads = Float[Array, "b n heads head_dim"]
Queries = Float[Array, "z n d"]  # images and heads in one axis
Keys = Float[Array, "z d m"]
AttentionTracing = Literal["", "unchunked", "forward_mode"]
BlockType = TypeVar("BlockType", bound=nn.Module)


def patchify(images: Float[Array, "b h w c"], patch_size: int) -> Tokens:
  """Patches in row order, `(b, h/p * w/p, p * p * c)`."""
  b, h, w, c = images.shape
  p = patch_size
  x = images.reshape(b, h // p, p, w // p, p, c)
  return x.swapaxes(2, 3).reshape(b, -1, p * p * c)


def unpatchify(
  patches: Tokens, patch_size: int, *, grid: tuple[int, int]
) -> Float[Array, "b h w c"]:
  """The inverse of `patchify` for a `grid` of (rows, columns) patches."""
  b, rows, cols = patches.shape[0], *grid
  x = patches.reshape(b, rows, cols, patch_size, patch_size, -1)
  shape = (b, rows * patch_size, cols * patch_size, -1)
  return x.swapaxes(2, 3).reshape(shape)


def patch_window(patch_size: int, overlap: int) -> np.ndarray:
  """The weights `(patch_size + 2 overlap,)` of overlapping patches along an
  axis: ramps of squared sines, which sum to 1 with those of the neighbors.

  `overlap` is at most half of `patch_size`.
  """
  i = np.arange(patch_size + 2 * overlap)
  from_end = np.minimum(i, i[::-1]) + 0.5
  ramp = np.minimum(from_end / max(2 * overlap, 0.5), 1)
  return (np.sin(np.pi / 2 * ramp) ** 2).astype(np.float32)


def overlap_patches(
  patches: Tokens, patch_size: int, *, overlap: int, grid: tuple[int, int]
) -> Float[Array, "b h w c"]:
  """The sum of patches that overlap, weighted by `patch_window`.

  A patch is `patch_size` + 2 `overlap` pixels wide and centered on its place in
  the `grid` of (rows, columns). At the edges of the image, where there is no
  neighbor, the sum is divided by the weights: equal patches give equal pixels
  everywhere (Malvar and Staelin 1989, on overlapping block transforms).
  """
  if not overlap:
    return unpatchify(patches, patch_size, grid=grid)
  window = patch_window(patch_size, overlap)
  side, sizes = len(window), [n * patch_size for n in grid]
  x = patches.reshape(len(patches), *grid, side, side, -1)
  weights = np.outer(window, window)[None, None, None, :, :, None]
  x = x * weights.astype(x.dtype)
  for axis in (1, 2):
    x = _add_neighbors(x, overlap, axis=axis)
  x = x.swapaxes(2, 3).reshape(len(x), *sizes, -1)
  covered = np.outer(*(_coverage(window, overlap, size) for size in sizes))
  return x / covered[None, ..., None].astype(x.dtype)


def _coverage(window: np.ndarray, overlap: int, size: int) -> np.ndarray:
  """The sum of the weights at each of `size` pixels: 1 but at the ends."""
  inside = window[overlap : 2 * overlap]
  middle = np.ones(size - 2 * overlap, window.dtype)
  return np.concatenate([inside, middle, inside[::-1]])


def _add_neighbors(x: Array, overlap: int, *, axis: int) -> Array:
  """Patches `(b, rows, columns, side, side, c)` without their margins along a
  grid `axis`, which are added to their neighbors."""
  pixels = axis + 2
  end = x.shape[pixels] - overlap
  cut = functools.partial(jax.lax.slice_in_dim, x, axis=pixels)

  def moved(margin: Array, by: int) -> Array:
    """The margin in the next patch (1) or in the last one (-1)."""
    padding = [(0, 0, 0)] * x.ndim
    rest = end - 2 * overlap
    padding[axis] = (by, -by, 0)
    padding[pixels] = (0, rest, 0) if by > 0 else (rest, 0, 0)
    return jax.lax.pad(margin, jnp.zeros((), x.dtype), padding)

  before, after = cut(0, overlap), cut(end, end + overlap)
  return cut(overlap, end) + moved(after, 1) + moved(before, -1)


class Dense(nn.Dense):
  """Flax's dense layer with the leading axes flattened into one.

  On CPU this makes the gradient of an MLP on `(8, 256, 512)` twice as fast (98
  ms instead of 197 ms on two cores, JAX 0.10.2).
  """

  def __call__(self, inputs: Float[Array, "*b d"]) -> Float[Array, "*b e"]:
    """A linear map of the last axis."""
    y = super().__call__(inputs.reshape(-1, inputs.shape[-1]))
    return y.reshape(*inputs.shape[:-1], -1)


class RMSNorm(nn.Module):
  """Division by the root mean square over the last axis, times a learned gain.

  Always computed in float32 (arXiv:1910.07467, eq. 4).
  """

  @nn.compact
  def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    gain = self.param("scale", nn.initializers.ones, (x.shape[-1],))
    y = x.astype(jnp.float32)
    y = y * jax.lax.rsqrt(jnp.mean(y * y, axis=-1, keepdims=True) + 1e-6)
    gain = jnp.expand_dims(gain, range(x.ndim - 1))
    return (y * gain).astype(x.dtype)


@contextlib.contextmanager
def attention_tracing(mode: AttentionTracing) -> Iterator[None]:
  """A context that changes how attention is traced.

  Args:
    mode: `unchunked`: never in chunks, so that all operations are counted (the
      body of a loop is counted only once); `forward_mode`: with forward-mode
      derivatives, which cuDNN's attention lacks; empty: no change.
  """
  token = _TRACING.set(mode)
  try:
    yield
  finally:
    _TRACING.reset(token)


_TRACING: contextvars.ContextVar[AttentionTracing] = contextvars.ContextVar(
  "attention_tracing", default=""
)


def _use_cudnn(q: Heads) -> bool:
  """Whether to use cuDNN's attention, which needs linear memory. JAX refuses
  its gradient for an odd number of tokens."""
  half = q.dtype in (jnp.bfloat16, jnp.float16)
  fits = half and q.shape[-1] in CUDNN_HEAD_DIMS and q.shape[1] % 2 == 0
  if not fits or _TRACING.get() == "forward_mode":
    return False
  return device.has_cudnn_attention(q.dtype, q.shape[-1])


def attend(q: Heads, k: Heads, v: Heads) -> Heads:
  """Attention with linear memory above `UNCHUNKED_TOKENS` tokens
  (arXiv:2112.05682).

  There it is fused if the device supports that, else computed in chunks of
  queries whose weights are computed again in the backward pass.
  """
  b, n, heads, d = q.shape
  chunked = n > UNCHUNKED_TOKENS and _TRACING.get() != "unchunked"
  if chunked and _use_cudnn(q):
    return jax.nn.dot_product_attention(q, k, v, implementation="cudnn")
  q = q.swapaxes(1, 2).reshape(b * heads, n, d)
  kt, vt = (x.transpose(0, 2, 3, 1).reshape(b * heads, d, -1) for x in (k, v))
  attention = _chunked_attention if chunked else _softmax_attention
  return attention(q, kt, vt).reshape(b, heads, n, d).swapaxes(1, 2)


_SAVED = "attention_reductions"  # kept for the backward pass of a chunk


def _chunked_attention(q: Queries, kt: Keys, vt: Keys) -> Queries:
  """`_softmax_attention`, a chunk of queries at a time."""
  z, n, d = q.shape
  chunks = -(-n // QUERY_CHUNK)
  q = jnp.pad(q, ((0, 0), (0, chunks * QUERY_CHUNK - n), (0, 0)))
  policy = jax.checkpoint_policies.save_only_these_names(_SAVED)
  part = jax.checkpoint(lambda x: _softmax_attention(x, kt, vt), policy=policy)
  y = jax.lax.map(part, q.reshape(z, chunks, QUERY_CHUNK, d).swapaxes(0, 1))
  return y.swapaxes(0, 1).reshape(z, -1, d)[:, :n]


def _softmax_attention(q: Queries, kt: Keys, vt: Keys) -> Queries:
  """Attention with float32 logits, divided by its sum after the product.

  On CPU it takes 0.6 of the time of `jax.nn.dot_product_attention`, since all
  matrices are contiguous, also those of the gradient.
  """
  product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)
  logits = product("zqd,zdk->zqk", q, kt)
  top = jax.lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
  top = checkpoint_name(top, _SAVED)
  weights = jnp.exp((logits - top) * q.shape[-1] ** -0.5)
  y = product("zqk,zdk->zqd", weights.astype(vt.dtype), vt)
  total = jnp.sum(weights, axis=-1, keepdims=True)
  y = checkpoint_name(y, _SAVED) / checkpoint_name(total, _SAVED)
  return y.astype(q.dtype)


class SelfAttention(nn.Module):
  """Multi-head self-attention with RMS-normed queries and keys
  (arXiv:2302.05442, section 2)."""

  heads: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Tokens) -> Tokens:
    b, n, d = x.shape
    qkv = Dense(3 * d, use_bias=False, dtype=self.dtype, name="qkv")(x)
    q, k, v = jnp.split(qkv.reshape(b, n, 3 * self.heads, -1), 3, axis=2)
    q, k = RMSNorm(name="q_norm")(q), RMSNorm(name="k_norm")(k)
    y = attend(q, k, v).reshape(b, n, d)
    return Dense(d, kernel_init=ZEROS, dtype=self.dtype, name="out")(y)


class MLP(nn.Module):
  """Two dense layers with `ratio * d` GELU units in between."""

  ratio: int
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    d = x.shape[-1]
    y = nn.gelu(Dense(self.ratio * d, dtype=self.dtype, name="up")(x))
    return Dense(d, kernel_init=ZEROS, dtype=self.dtype, name="down")(y)


class Block(nn.Module, kw_only=True):
  """A pre-norm transformer block: attention, then MLP, each residual."""

  heads: int
  mlp_ratio: int
  dropout: float = 0.0
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Tokens, train: bool) -> Tokens:
    drop = nn.Dropout(self.dropout, deterministic=not train)
    attention = SelfAttention(self.heads, self.dtype, name="attention")
    x = x + drop(attention(RMSNorm(name="norm_attention")(x)))
    mlp = MLP(self.mlp_ratio, self.dtype, name="mlp")
    return x + drop(mlp(RMSNorm(name="norm_mlp")(x)))


class Blocks(nn.Module, kw_only=True):
  """A stack of `depth` identical blocks, unrolled or scanned."""

  depth: int
  heads: int
  mlp_ratio: int
  dropout: float = 0.0
  scan: bool = False
  remat: Remat = "none"
  dtype: DTypeLike = jnp.float32

  @nn.compact
  def __call__(self, x: Tokens, train: bool) -> Tokens:
    make = functools.partial(
      remat(Block, self.remat, static=2),
      heads=self.heads,
      mlp_ratio=self.mlp_ratio,
      dropout=self.dropout,
      dtype=self.dtype,
    )
    return stack(make, self.depth, scan=self.scan)(x, train)


def remat(
  block: type[BlockType], extent: Remat, *, static: int
) -> type[BlockType]:
  """A block class with rematerialization (arXiv:1604.06174).

  Args:
    block: the class of the block.
    extent: the recomputed activations: `blocks`: all except products with
      weights and convolutions; `full`: all except the block's input.
    static: index of the call argument that is not an array, with `self` as 0.
  """
  if extent == "none":
    return block
  policy = _keep_products if extent == "blocks" else None
  return nn.remat(block, static_argnums=(static,), policy=policy)


def _keep_products(
  primitive: Primitive, *args: object, **params: object
) -> bool:
  if primitive is jax.lax.conv_general_dilated_p:
    return True
  dots = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
  return dots(primitive, *args, **params)


def stack(
  make: Callable[..., nn.Module], depth: int, *, scan: bool
) -> Callable[..., Tokens]:
  """A function `(x, *args)` that applies `depth` blocks to `x`, each called as
  `block(x, *args)`; for compact methods.

  With `scan` one block is compiled for all, and parameters have a leading axis
  of length `depth`.
  """
  if scan and depth:
    return functools.partial(_scanned, make, depth)
  return functools.partial(_unrolled, make, depth)


def _unrolled(
  make: Callable[..., nn.Module], depth: int, x: Tokens, *args: Array | bool
) -> Tokens:
  for i in range(depth):
    x = make(name=f"block_{i}")(x, *args)
  return x


def _scanned(
  make: Callable[..., nn.Module], depth: int, x: Tokens, *args: Array | bool
) -> Tokens:
  body = nn.scan(
    lambda block, x, _: (block(x, *args), None),
    variable_axes={"params": 0},
    split_rngs={"params": True, "dropout": True},
    length=depth,
  )
  return body(make(name="blocks"), x, None)[0]
