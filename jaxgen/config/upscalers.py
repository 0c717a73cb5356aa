"""The networks of `task=upscale`, in the section `model`.

`reach(factor)` is the radius of the network's receptive field in pixels of the
small image.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from jaxgen.config.fields import Positive, PositiveInt, section
from jaxgen.config.networks import DType

CUBIC = 3  # the reach of bicubic enlargement


def enlargements(factor: int) -> tuple[int, ...]:
  """The factors by which a network enlarges, one after the other."""
  return (2, 2) if factor == 4 else (factor,)


def _after(factor: int, convs: int, *, own: bool) -> int:
  """The reach of the layers that enlarge and of `convs` convolutions at the
  full size; each enlargement has a convolution before or (`own`) after it."""
  size, reach = 1, 0.0
  for step in enlargements(factor):
    reach += 1 / (size * step if own else size)
    size *= step
  return math.ceil(reach + convs / factor)


@section("model")
class CompactConfig:
  """Convolutions at the size of the small image, for a CPU (the layout of
  SRVGGNetCompact in Real-ESRGAN)."""

  smoke_images: ClassVar[int] = 640
  smoke: ClassVar[dict[str, Any]] = {"width": 8, "depth": 2}
  demo: ClassVar[dict[str, Any]] = {"width": 32, "depth": 8}

  name: Literal["compact"] = "compact"
  """Name of the network."""
  width: PositiveInt = 64
  """Features of a layer."""
  depth: PositiveInt = 16
  """Convolutions between the first and the last."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def check(self, resolution: int) -> None:
    """Every size fits."""

  def reach(self, factor: int) -> int:
    """The radius of the receptive field in pixels of the small image."""
    return max(self.depth + 2, CUBIC)


@section("model")
class EDSRConfig:
  """Residual blocks without normalization (Lim et al. 2017,
  arXiv:1707.02921)."""

  smoke_images: ClassVar[int] = 640
  smoke: ClassVar[dict[str, Any]] = {"width": 8, "num_res_blocks": 1}
  demo: ClassVar[dict[str, Any]] = {"width": 32, "num_res_blocks": 4}

  name: Literal["edsr"] = "edsr"
  """Name of the network."""
  width: PositiveInt = 64
  """Features of a layer."""
  num_res_blocks: PositiveInt = 16
  """Residual blocks."""
  residual_scale: Positive = 1.0
  """Factor of what a block adds; 0.1 for 256 features."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def check(self, resolution: int) -> None:
    """Every size fits."""

  def reach(self, factor: int) -> int:
    """The radius of the receptive field in pixels of the small image."""
    before = 2 * self.num_res_blocks + 2
    return before + _after(factor, 1, own=False)


@section("model")
class RRDBConfig:
  """Residual-in-residual dense blocks (ESRGAN: Wang et al. 2018,
  arXiv:1809.00219)."""

  smoke_images: ClassVar[int] = 640
  smoke: ClassVar[dict[str, Any]] = {
    "width": 8,
    "growth": 4,
    "num_res_blocks": 1,
  }
  demo: ClassVar[dict[str, Any]] = {
    "width": 32,
    "growth": 16,
    "num_res_blocks": 2,
  }

  name: Literal["rrdb"] = "rrdb"
  """Name of the network."""
  width: PositiveInt = 64
  """Features between blocks."""
  growth: PositiveInt = 32
  """Features that each convolution of a dense block adds."""
  num_res_blocks: PositiveInt = 23
  """Blocks of three dense blocks each."""
  residual_scale: Positive = 0.2
  """Factor of what a block adds."""
  dtype: DType = "auto"
  """Type of the computation; auto: bfloat16 where in hardware."""

  def check(self, resolution: int) -> None:
    """Every size fits."""

  def reach(self, factor: int) -> int:
    """The radius of the receptive field in pixels of the small image."""
    before = 15 * self.num_res_blocks + 2
    return before + _after(factor, 2, own=True)


UpscalerConfig = CompactConfig | EDSRConfig | RRDBConfig
UPSCALERS: dict[str, type[UpscalerConfig]] = {
  "compact": CompactConfig,
  "edsr": EDSRConfig,
  "rrdb": RRDBConfig,
}
