"""The speed of devices, and the time of programs by the roofline model.

In the roofline model (Williams, Waterman and Patterson 2009) a program takes
the time of its operations or of its memory traffic, whichever is longer.
Operations run at `SHARE` of the rate of a matrix product, memory traffic at
`REUSE` times the rate of adding a number to an array.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.parallel import device
from jaxgen.typing import Array

# An accelerator finishes too early with what suits a CPU.
PRODUCT = {"cpu": 2048, "gpu": 8192, "tpu": 8192}  # rows of the matrices
SUM = {"cpu": 64 << 20, "gpu": 1 << 30, "tpu": 1 << 30}  # bytes per device
LEAST = 5e-3  # seconds of a timed call; a start takes some 1e-5
MOST = 4096  # repetitions
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


def seconds(
  call: Callable[[], Any], repeats: int, *, warm_up: int = 1
) -> float:
  """The median time of a call, after `warm_up` calls that are not timed."""
  for _ in range(warm_up):
    jax.block_until_ready(call())
  times = []
  for _ in range(repeats):
    start = time.perf_counter()
    jax.block_until_ready(call())
    times.append(time.perf_counter() - start)
  return statistics.median(times)


def repeated_seconds(
  step: Callable[[Array, Array], Array], x: Array, *, repeats: int
) -> float:
  """The median time of `y = step(y, x)`, which starts from `y = x`.

  It is repeated within the program until a call takes `LEAST` seconds, so that
  a fast device is not timed by the start of its programs.
  """

  @functools.partial(jax.jit, static_argnums=1)
  def run(x: Array, count: int) -> Array:
    if count == 1:
      return step(x, x)
    return jax.lax.fori_loop(0, count, lambda _, y: step(y, x), x)

  count, taken = 1, seconds(lambda: run(x, 1), repeats)
  while taken < LEAST and count < MOST:
    count = min(MOST, count * math.ceil(1.5 * LEAST / taken))
    taken = seconds(lambda n=count: run(x, n), repeats)
  return taken / count


def matrix_product(dtype: Any, repeats: int) -> float:
  """Operations per second of a square matrix product on all devices."""
  side = PRODUCT[device.platform()]
  a = _spread((side, side), dtype) / side  # times itself: again itself
  product = functools.partial(jnp.einsum, "nij,njk->nik")
  return 2 * len(a) * side**3 / repeated_seconds(product, a, repeats=repeats)


def memory_rate(repeats: int) -> float:
  """Bytes per second that a sum reads and writes on all devices."""
  a = _spread((SUM[device.platform()] // 4,), jnp.float32)
  taken = repeated_seconds(lambda y, _: y + 1.0, a, repeats=repeats)
  return 2 * a.nbytes / taken


def _spread(shape: tuple[int, ...], dtype: Any) -> Array:
  """An array of ones with this shape on every device."""
  n = jax.device_count()
  mesh = jax.make_mesh((n,), ("data",))
  spec = jax.sharding.PartitionSpec("data")
  place = jax.sharding.NamedSharding(mesh, spec)
  return jax.device_put(jnp.ones((n, *shape), dtype), place)
