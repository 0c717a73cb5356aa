"""Which device holds what: one mesh axis, `data`, for batches and for FSDP."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.errors import UserError

Devices = Sequence[Any] | None  # of jax.Device; None: all there are
SMALL = 2**12  # leaves with fewer numbers are replicated, not split


def make_mesh(devices: Devices = None) -> Mesh:
  """All devices of all processes, or the given ones, on one axis."""
  size = jax.device_count() if devices is None else len(devices)
  return jax.make_mesh(
    (size,), ("data",), axis_types=(AxisType.Auto,), devices=devices
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
  """The placement of batches and of the state on a mesh."""

  mesh: Mesh
  fsdp: bool = False

  @property
  def batch(self) -> NamedSharding:
    """Images over the devices."""
    return NamedSharding(self.mesh, PartitionSpec("data"))

  @property
  def replicated(self) -> NamedSharding:
    """The same on every device."""
    return NamedSharding(self.mesh, PartitionSpec())

  def state(self, shapes: Any) -> Any:
    """A sharding for each leaf: with FSDP the largest axis that the number of
    devices divides is split; small leaves, or all without FSDP, are copied."""
    return jax.tree.map(self._leaf, shapes)

  def _leaf(self, x: Any) -> NamedSharding:
    if not self.fsdp or x.size < SMALL:
      return self.replicated
    for axis in sorted(range(x.ndim), key=lambda i: -x.shape[i]):
      if x.shape[axis] % self.mesh.size == 0:
        return NamedSharding(self.mesh, PartitionSpec(*[None] * axis, "data"))
    return self.replicated

  def put(self, batch: Any) -> Any:
    """This process's share of a batch, as one global array."""
    return jax.tree.map(
      lambda x: jax.make_array_from_process_local_data(self.batch, x), batch
    )

  def check(self, batch_size: int, accumulate: int) -> None:
    """Raise a UserError where a microbatch does not divide over the devices."""
    micro, n = batch_size // accumulate, self.mesh.size
    if micro % n:
      raise UserError(
        f"stages: a microbatch of {micro} images does not divide over {n} "
        f"devices; make stages.batch_size a multiple of {n * accumulate}."
      )
