"""How fast the devices are, and so how long a program takes.

The roofline model (Williams, Waterman and Patterson 2009): a program computes
or moves memory, and takes as long as the slower of the two. Operations run at
`SHARE` of a matrix product's rate; memory moves at `REUSE` times the rate of a
sum of an array and a number, into new memory.
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
# Of these rates, what training reaches; fitted (see README).
SHARE = 0.5  # of the matrix product's
REUSE = 1.35  # of the sum's: part of the traffic does not leave the caches


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
    """Time of a program of so many operations and bytes on each device."""
    return max(flops / self.flops, traffic / self.bandwidth)


def measure(dtype: Any, devices: int, repeats: int = 7) -> Speed:
  """The rates of all devices, divided among so many."""
  return Speed(
    flops=SHARE * matrix_product(dtype, repeats) / devices,
    bandwidth=REUSE * memory_rate(repeats) / devices,
  )


def seconds(call: Callable[[], Any], repeats: int) -> float:
  """Median time of a call, after one that is not counted."""
  jax.block_until_ready(call())
  times = []
  for _ in range(repeats):
    start = time.perf_counter()
    jax.block_until_ready(call())
    times.append(time.perf_counter() - start)
  return statistics.median(times)


def matrix_product(dtype: Any, repeats: int) -> float:
  """Operations per second of a square product, all devices."""
  a = _spread((PRODUCT, PRODUCT), dtype)
  product = jax.jit(lambda x: jnp.einsum("nij,njk->nik", x, x))
  return 2 * len(a) * PRODUCT**3 / seconds(lambda: product(a), repeats)


def memory_rate(repeats: int) -> float:
  """Bytes per second that a sum reads and writes, all devices."""
  a = _spread((SUM // 4,), jnp.float32)
  sum_ = jax.jit(lambda x: x + 1.0)
  return 2 * a.nbytes / seconds(lambda: sum_(a), repeats)


def _spread(shape: tuple[int, ...], dtype: Any) -> Array:
  """Ones of a shape on every device."""
  n = jax.device_count()
  mesh = jax.make_mesh((n,), ("data",))
  spec = jax.sharding.PartitionSpec("data")
  place = jax.sharding.NamedSharding(mesh, spec)
  return jax.device_put(jnp.ones((n, *shape), dtype), place)
