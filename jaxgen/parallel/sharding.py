"""Meshes and shardings: one axis, `data`, for batches and for FSDP."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.errors import UserError
from jaxgen.parallel.allocator import keep_freed_memory
from jaxgen.parallel.compilation_cache import cache_compilations

Devices = Sequence[jax.Device] | None  # None: all devices
SMALL = 2**12  # leaves with fewer elements are replicated, not sharded


def make_mesh(devices: Devices = None) -> Mesh:
  """A one-axis mesh of the given devices, or of all of all processes.

  All use of devices starts with one; so this also sets up the process: compiled
  programs are cached, and on CPU memory that is freed stays with the process.
  """
  cache_compilations()
  keep_freed_memory(jax.default_backend())
  size = jax.device_count() if devices is None else len(devices)
  return jax.make_mesh(
    (size,), ("data",), axis_types=(AxisType.Auto,), devices=devices
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
  """The shardings of batches and of the train state on a mesh."""

  mesh: Mesh
  fsdp: bool = False

  @property
  def batch(self) -> NamedSharding:
    """The sharding of a batch: images divided over the devices."""
    return NamedSharding(self.mesh, PartitionSpec("data"))

  @property
  def replicated(self) -> NamedSharding:
    """The sharding of an array that every device holds in full."""
    return NamedSharding(self.mesh, PartitionSpec())

  def state(self, shapes: Any) -> Any:
    """The sharding of each leaf: with FSDP the largest axis divisible by the
    number of devices is sharded; small leaves, and all without FSDP, are
    replicated."""
    return jax.tree.map(self._leaf, shapes)

  def _leaf(self, x: Any) -> NamedSharding:
    if not self.fsdp or x.size < SMALL:
      return self.replicated
    for axis in sorted(range(x.ndim), key=lambda i: -x.shape[i]):
      if x.shape[axis] % self.mesh.size == 0:
        return NamedSharding(self.mesh, PartitionSpec(*[None] * axis, "data"))
    return self.replicated

  def put(self, batch: Any) -> Any:
    """Global arrays, from the part of the batch on each process."""
    return jax.tree.map(
      lambda x: jax.make_array_from_process_local_data(self.batch, x), batch
    )

  def check(self, batch_size: int, accumulate: int) -> None:
    """Raise a UserError unless a microbatch divides over the devices."""
    n = self.mesh.size
    if batch_size // accumulate % n:
      raise UserError(
        f"stages.batch_size={batch_size}: expected a multiple of "
        f"{n * accumulate}, for {n} devices and stages.accumulate="
        f"{accumulate}."
      )
