"""What the device can do: bfloat16, cuDNN's attention; and its name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

BFLOAT16_CAPABILITY = 8.0  # first CUDA compute capability with bfloat16

Implementation = Literal["xla", "cudnn"]


def platform() -> str:
  """The platform of the default device: cpu, gpu or tpu."""
  return jax.default_backend()


def label() -> str:
  """Number and kind of all devices, as in `8 x NVIDIA H100`."""
  return f"{jax.device_count()} x {jax.devices()[0].device_kind}"


def compute_capability(device: Any) -> float:
  """The CUDA compute capability of a device; NaN if it has none."""
  try:
    return float(getattr(device, "compute_capability", math.nan))
  except ValueError:  # the name of an architecture, as of AMD's devices
    return math.nan


def has_bfloat16(name: str, capability: float) -> bool:
  """Whether a device has hardware for bfloat16: every TPU, and GPUs from a
  compute capability of 8.0 (not V100, 7.0, and T4, 7.5)."""
  on_gpu = name == "gpu" and capability >= BFLOAT16_CAPABILITY
  return on_gpu or name == "tpu"


def computes_in_bfloat16() -> bool:
  """Whether the default device has hardware for bfloat16."""
  return has_bfloat16(platform(), compute_capability(jax.local_devices()[0]))


@functools.cache
def has_cudnn_attention(dtype: np.dtype, head_dim: int) -> bool:
  """Whether cuDNN's attention works on the default device, forwards and
  backwards; tried once for each type and head dimension."""
  return platform() == "gpu" and runs(attention("cudnn"), dtype, head_dim)


def attention(implementation: Implementation) -> Callable:
  """Attention `(q, k, v)` in an implementation of JAX."""
  return functools.partial(
    jax.nn.dot_product_attention, implementation=implementation
  )


def runs(attend: Callable, dtype: np.dtype, head_dim: int) -> bool:
  """Whether an attention and its gradient compile, run and are finite, for 128
  tokens; also while another function is traced."""

  def loss(q, k, v):
    return jnp.sum(attend(q, k, v).astype(jnp.float32) ** 2)

  with jax.ensure_compile_time_eval():
    try:
      x = jnp.ones((1, 128, 2, head_dim), dtype)
      results = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2)))(x, x, x)
      return all(bool(jnp.isfinite(r).all()) for r in jax.tree.leaves(results))
    except Exception:  # of the compiler, of cuDNN or of JAX's checks
      return False
