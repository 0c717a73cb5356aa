"""Attention: cuDNN's where it is faster, else in chunks of queries."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import Literal

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Float

from jaxgen.parallel import device
from jaxgen.typing import Array

UNCHUNKED_TOKENS = 1024  # up to this many tokens attention is not chunked
QUERY_CHUNK = 256  # queries per chunk
CUDNN_HEAD_DIMS = range(8, 129, 8)  # head dimensions that cuDNN supports

Heads = Float[Array, "b n heads head_dim"]
Queries = Float[Array, "z n d"]  # images and heads in one axis
Keys = Float[Array, "z d m"]
AttentionTracing = Literal["", "unchunked", "forward_mode"]


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
