"""The speed of devices, and the time of programs by the roofline model.

In the roofline model (Williams, Waterman and Patterson 2009) a program takes
the time of its operations or of its memory traffic, whichever is longer.
Operations run at `SHARE` of the rate of a matrix product, memory traffic at
`REUSE` times the rate of adding a number to an array.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.typing import Array

PRODUCT = 2048  # rows and columns of the matrix product
SUM = 64 << 20  # bytes of the sum, on each device
# Fitted rates of training relative to these (see docs/benchmarks.md):
SHARE = 0.5  # relative to the matrix product
REUSE = 1.35  # relative to the sum; part of the traffic stays in caches


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speed:
  """Rates of one device, per second.

  Attributes:
    flops: operations.
    bandwidth: bytes read and written.
  """

  flops: float
  bandwidth: float = float("inf")

  def seconds(self, flops: float, traffic: float) -> float:
    """The time of a program, given its operations and bytes on each device."""
    return max(flops / self.flops, traffic / self.bandwidth)


def measure(dtype: Any, devices: int, repeats: int = 7) -> Speed:
  """Measure the speed of all devices together, divided by `devices`."""
  return Speed(
    flops=SHARE * matrix_product(dtype, repeats) / devices,
    bandwidth=REUSE * memory_rate(repeats) / devices,
  )


def seconds(call: Callable[[], Any], repeats: int) -> float:
  """The median time of a call, after a warm-up call."""
  jax.block_until_ready(call())
  times = []
  for _ in range(repeats):
    start = time.perf_counter()
    jax.block_until_ready(call())
    times.append(time.perf_counter() - start)
  return statistics.median(times)


def matrix_product(dtype: Any, repeats: int) -> float:
  """Operations per second of a square matrix product on all devices."""
  a = _spread((PRODUCT, PRODUCT), dtype)
  product = jax.jit(lambda x: jnp.einsum("nij,njk->nik", x, x))
  return 2 * len(a) * PRODUCT**3 / seconds(lambda: product(a), repeats)


def memory_rate(repeats: int) -> float:
  """Bytes per second that a sum reads and writes on all devices."""
  a = _spread((SUM // 4,), jnp.float32)
  sum_ = jax.jit(lambda x: x + 1.0)
  return 2 * a.nbytes / seconds(lambda: sum_(a), repeats)


def _spread(shape: tuple[int, ...], dtype: Any) -> Array:
  """An array of ones with this shape on every device."""
  n = jax.device_count()
  mesh = jax.make_mesh((n,), ("data",))
  spec = jax.sharding.PartitionSpec("data")
  place = jax.sharding.NamedSharding(mesh, spec)
  return jax.device_put(jnp.ones((n, *shape), dtype), place)
