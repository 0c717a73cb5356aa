"""The sections `train` and `batch`: intervals, policies, and memory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jaxgen.config.fields import (
  LIMIT,
  ClosedUnit,
  Int,
  NonNegative,
  NonNegativeInt,
  PositiveInt,
  section,
)
from jaxgen.errors import UserError


@section("batch")
class BatchConfig:
  """The fit of batches into memory."""

  fit: Literal["off", "auto"] = "off"
  """auto: split batches so that each stage fits into memory."""
  memory_gib: NonNegative = 0.0
  """Memory of each device; 0: what is detected."""


@section("train")
class TrainConfig:
  """Intervals in images seen (0: only at the end of a stage), and policies."""

  log_images: NonNegativeInt = 2_000
  """Images between two rows of metrics."""
  evaluate_images: NonNegativeInt = 50_000
  """Images between two evaluations on held-out tiles."""
  preview_images: NonNegativeInt = 100_000
  """Images between two previews."""
  save_images: NonNegativeInt = 50_000
  """Images between two checkpoints."""
  max_to_keep: PositiveInt = 2
  """Newest checkpoints that are kept; the best is kept as well."""
  validation_tiles: PositiveInt = 512
  """Held-out tiles, at most."""
  on_nan: Literal["stop", "skip"] = "stop"
  """stop, or skip: leave non-finite updates out and count them."""
  fsdp: bool = False
  """Shard parameters and optimizer over the devices."""
  latent_cache_tiles: Annotated[Int, Field(ge=2, lt=LIMIT)] = 4_096
  """Training latents that densities are fitted to for sampling."""
  init_from: str = ""
  """Workdir of a finished run to start from its weights."""
  advance: Literal["fixed", "adaptive"] = "fixed"
  """A stage ends after its images, or when its metric no longer improves."""
  advance_window: PositiveInt = 50_000
  """adaptive: images in which the held-out metric must improve."""
  advance_tolerance: NonNegative = 0.05
  """adaptive: improvement that counts, in dB."""
  advance_minimum: ClosedUnit = 0.2
  """adaptive: least fraction of its images that a stage takes."""

  def __post_init__(self):
    if self.advance == "adaptive" and not self.evaluate_images:
      raise UserError(
        "train.advance=adaptive needs the held-out metric: expected "
        "train.evaluate_images above 0."
      )
