"""Meshes and shardings.

A mesh has one axis, `data`, for batches and for FSDP. Devices of several slices
(groups with fast links only within) get a second, `replica`: batches are
divided over both, FSDP over `data` only, so that gradients alone cross the slow
links.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.errors import UserError
from jaxgen.parallel.allocator import keep_freed_memory
from jaxgen.parallel.compilation_cache import cache_compilations

Devices = Sequence[jax.Device] | None  # None: all devices
SMALL = 2**12  # leaves with fewer elements are replicated, not sharded


def make_mesh(devices: Devices = None, *, slices: int = 0) -> Mesh:
  """A mesh of the given devices, or of all of all processes.

  All use of devices starts with one; so this also sets up the process: compiled
  programs are cached, and on CPU memory that is freed stays with the process.

  Args:
    devices: the devices, by default all.
    slices: number of slices of consecutive devices; by default the slices that
      the devices report.
  """
  cache_compilations()
  keep_freed_memory()
  groups = _slices(jax.devices() if devices is None else devices, slices)
  if len(groups) == 1:
    return _slice_mesh(devices)
  grid = np.stack([_slice_mesh(group).devices for group in groups])
  return Mesh(grid, ("replica", "data"), axis_types=(AxisType.Auto,) * 2)


def _slice_mesh(devices: Devices) -> Mesh:
  """A one-axis mesh of devices, in an order that suits their links."""
  size = jax.device_count() if devices is None else len(devices)
  return jax.make_mesh(
    (size,), ("data",), axis_types=(AxisType.Auto,), devices=devices
  )


def _slices(devices: Sequence[Any], number: int) -> list[Sequence[Any]]:
  """The devices of each slice; one slice if they do not have equal sizes."""
  n, groups = len(devices), collections.defaultdict(list)
  for i, device in enumerate(devices):
    reported = getattr(device, "slice_index", 0)
    groups[i * number // n if number else reported].append(device)
  equal = len({len(group) for group in groups.values()}) == 1
  return [groups[k] for k in sorted(groups)] if equal else [devices]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
  """The shardings of batches and of the train state on a mesh."""

  mesh: Mesh
  fsdp: bool = False

  @property
  def batch(self) -> NamedSharding:
    """The sharding of a batch: images divided over the devices."""
    axes = self.mesh.axis_names
    return NamedSharding(self.mesh, PartitionSpec(axes))

  @property
  def replicated(self) -> NamedSharding:
    """The sharding of an array that every device holds in full."""
    return NamedSharding(self.mesh, PartitionSpec())

  def state(self, shapes: Any) -> Any:
    """The sharding of each leaf: with FSDP the largest axis divisible by the
    number of devices (of a slice) is sharded; small leaves, and all without
    FSDP, are replicated."""
    return jax.tree.map(self._leaf, shapes)

  def _leaf(self, x: Any) -> NamedSharding:
    if not self.fsdp or x.size < SMALL:
      return self.replicated
    parts = self.mesh.shape["data"]
    for axis in sorted(range(x.ndim), key=lambda i: -x.shape[i]):
      if x.shape[axis] % parts == 0:
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
