"""Building blocks of the transformers: patches, norms, attention, MLP.

Blocks are pre-norm residual and start as the identity (their last layers are
zero-initialised), so that a network of any depth starts as its linear skeleton
and a block added to a trained network changes nothing until it is trained.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.config.stages import Remat
from jaxgen.typing import Array

ZEROS = nn.initializers.zeros
ATTENDED = 1024  # tokens past which attention goes through its queries in
CHUNK = 256  # so many at a time
FUSED = range(8, 129, 8)  # numbers of a head that cuDNN takes


def patchify(images: Array, patch: int) -> Array:
  """`(b, h, w, c)` -> `(b, h/p * w/p, p * p * c)`, patches in row order."""
  b, h, w, c = images.shape
  x = images.reshape(b, h // patch, patch, w // patch, patch, c)
  return x.swapaxes(2, 3).reshape(b, -1, patch * patch * c)


def unpatchify(patches: Array, patch: int, grid: tuple[int, int]) -> Array:
  """The inverse of `patchify` for a `grid` of (rows, columns) patches."""
  b, rows, cols = patches.shape[0], *grid
  x = patches.reshape(b, rows, cols, patch, patch, -1)
  return x.swapaxes(2, 3).reshape(b, rows * patch, cols * patch, -1)


class Dense(nn.Dense):
  """flax's layer, with the leading axes flattened into one.

  On CPU the gradient of an MLP on `(8, 256, 512)` is computed twice as fast
  this way (98 ms against 197 ms on two cores, JAX 0.10.2).
  """

  def __call__(self, inputs: Array) -> Array:
    """`(..., d)` to `(..., features)`."""
    y = super().__call__(inputs.reshape(-1, inputs.shape[-1]))
    return y.reshape(*inputs.shape[:-1], -1)


class RMSNorm(nn.Module):
  """Divide by the root mean square over the last axis, times a learned gain.

  Computed in float32 whatever the input's type (arXiv:1910.07467, eq. 4).
  """

  @nn.compact
  def __call__(self, x: Array) -> Array:
    gain = self.param("scale", nn.initializers.ones, (x.shape[-1],))
    y = x.astype(jnp.float32)
    y = y * jax.lax.rsqrt(jnp.mean(y * y, axis=-1, keepdims=True) + 1e-6)
    return (y * gain).astype(x.dtype)


@contextlib.contextmanager
def traced(how: Literal["", "whole", "forward"]) -> Iterator[None]:
  """Trace attention in one piece (`whole`), for its operations to be counted:
  the body of a loop is counted only once; or so that it has derivatives
  forwards (`forward`), which cuDNN's lacks."""
  token = _TRACED.set(how)
  try:
    yield
  finally:
    _TRACED.reset(token)


_TRACED = contextvars.ContextVar("traced", default="")


def _fused(q: Array) -> bool:
  """Whether cuDNN's attention takes these, whose memory grows linearly."""
  fits = q.dtype in (jnp.bfloat16, jnp.float16) and q.shape[-1] in FUSED
  return fits and jax.default_backend() == "gpu" and _TRACED.get() != "forward"


def attend(q: Array, k: Array, v: Array) -> Array:
  """Attention of `(b, n, heads, d)`. Past `ATTENDED` tokens fused, where the
  device can, or in chunks of queries, each computed again for its gradient:
  memory then grows linearly with n, not with its square (arXiv:2112.05682)."""
  n = q.shape[1]
  if n <= ATTENDED or _TRACED.get() == "whole":
    return jax.nn.dot_product_attention(q, k, v)
  if _fused(q):
    return jax.nn.dot_product_attention(q, k, v, implementation="cudnn")
  chunks = -(-n // CHUNK)
  q = jnp.pad(q, ((0, 0), (0, chunks * CHUNK - n), (0, 0), (0, 0)))
  q = q.reshape(len(q), chunks, CHUNK, *q.shape[2:]).swapaxes(0, 1)
  part = jax.checkpoint(lambda x: jax.nn.dot_product_attention(x, k, v))
  y = jax.lax.map(part, q).swapaxes(0, 1)
  return y.reshape(len(k), -1, *k.shape[2:])[:, :n]


class SelfAttention(nn.Module):
  """Multi-head self-attention over `(b, n, d)`, queries and keys RMS-normed
  (arXiv:2302.05442, section 2)."""

  heads: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Array) -> Array:
    b, n, d = x.shape
    qkv = Dense(3 * d, use_bias=False, dtype=self.dtype, name="qkv")(x)
    q, k, v = jnp.split(qkv.reshape(b, n, 3 * self.heads, -1), 3, axis=2)
    q, k = RMSNorm(name="q_norm")(q), RMSNorm(name="k_norm")(k)
    y = attend(q, k, v).reshape(b, n, d)
    return Dense(d, kernel_init=ZEROS, dtype=self.dtype, name="out")(y)


class MLP(nn.Module):
  """`(..., d) -> (..., d)` through one hidden layer of `ratio * d` GELUs."""

  ratio: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Array) -> Array:
    y = Dense(self.ratio * x.shape[-1], dtype=self.dtype, name="up")(x)
    y = nn.gelu(y)
    return Dense(x.shape[-1], kernel_init=ZEROS, dtype=self.dtype, name="down")(
      y
    )


class Block(nn.Module):
  """One pre-norm transformer block: attention, then MLP, each residual."""

  heads: int
  mlp_ratio: int = 4
  dropout: float = 0.0
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Array, train: bool) -> Array:
    drop = nn.Dropout(self.dropout, deterministic=not train)
    attention = SelfAttention(self.heads, self.dtype, name="attention")
    x = x + drop(attention(RMSNorm(name="norm_attention")(x)))
    mlp = MLP(self.mlp_ratio, self.dtype, name="mlp")
    return x + drop(mlp(RMSNorm(name="norm_mlp")(x)))


class Blocks(nn.Module):
  """`depth` equal blocks, unrolled or as one scan (one compilation of one
  block; parameters then carry a leading axis of length `depth`)."""

  depth: int
  heads: int
  mlp_ratio: int = 4
  dropout: float = 0.0
  scan: bool = False
  remat: Remat = "none"
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Array, train: bool) -> Array:
    args = (self.heads, self.mlp_ratio, self.dropout, self.dtype)
    make = functools.partial(remat(Block, self.remat, 2), *args)
    return stack(make, self.depth, self.scan, x, train)


def remat(block: Any, extent: Remat, static: int) -> Any:
  """A block whose gradient computes the activations again: with `blocks` all
  but products with weights and convolutions, with `full` all but the block's
  input (arXiv:1604.06174). Argument `static` of its call is no array."""
  if extent == "none":
    return block
  policy = _products if extent == "blocks" else None
  return nn.remat(block, static_argnums=(static,), policy=policy)


def _products(primitive: Any, *args: Any, **params: Any) -> Any:
  if primitive is jax.lax.conv_general_dilated_p:
    return True
  known = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
  return known(primitive, *args, **params)


def stack(
  make: Callable[..., nn.Module], depth: int, scan: bool, x: Array, *args: Any
) -> Array:
  """`x` through `depth` blocks, called as `block(x, *args)`; within a compact
  method. As a scan one block is compiled for all, and parameters carry a
  leading axis."""
  if not scan or not depth:
    for i in range(depth):
      x = make(name=f"block_{i}")(x, *args)
    return x
  body = nn.scan(
    lambda block, x, _: (block(x, *args), None),
    variable_axes={"params": 0},
    split_rngs={"params": True, "dropout": True},
    length=depth,
  )
  return body(make(name="blocks"), x, None)[0]
