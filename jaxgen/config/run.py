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
  """Fitting of batches into memory."""

  fit: Literal["off", "auto"] = "off"
  """auto: split batches into microbatches so that each stage fits."""
  memory_gib: NonNegative = 0.0
  """Memory of each device; 0: as detected."""


@section("train")
class TrainConfig:
  """Intervals in images seen (0: only at stage ends), and policies."""

  log_images: NonNegativeInt = 2_000
  """Images between rows of metrics."""
  evaluate_images: NonNegativeInt = 50_000
  """Images between evaluations on held-out tiles. Every run is also evaluated
  after 5%, 25%, 50% and 75% of its images, unless it has been since the last of
  these; `advance` and `plateau_patience` do not count such evaluations."""
  preview_images: NonNegativeInt = 100_000
  """Images between previews. Every run also has previews after 5%, 25%, 50% and
  75% of its images, unless it has had one since the last of these."""
  save_images: NonNegativeInt = 50_000
  """Images between checkpoints."""
  max_to_keep: PositiveInt = 2
  """Number of newest checkpoints to keep; the best is kept as well."""
  validation_tiles: PositiveInt = 512
  """Maximum number of held-out tiles."""
  metric: Literal["", "psnr", "psnr_y", "ssim", "lpips"] = ""
  """task=upscale: the held-out score that selects the best checkpoint; empty:
  that of the task, PSNR."""
  on_nan: Literal["stop", "skip"] = "stop"
  """stop the run, or skip and count non-finite updates."""
  fsdp: bool = False
  """Shard parameters and optimizer state over the devices."""
  latent_cache_tiles: Annotated[Int, Field(ge=2, lt=LIMIT)] = 4_096
  """Training latents cached for fitting densities to sample from."""
  loggers: tuple[Literal["wandb", "mlflow"], ...] = ()
  """Services that metrics and previews are sent to as well (extras of their
  names); a run goes on if one fails."""
  init_from: str = ""
  """Finished run or sweep (its winner) whose weights initialize this one."""
  advance: Literal["fixed", "adaptive"] = "fixed"
  """End a stage after its images, or when its metric stops improving."""
  advance_window: PositiveInt = 50_000
  """adaptive: images within which the held-out metric must improve."""
  advance_tolerance: NonNegative = 0.05
  """adaptive: smallest change that counts as an improvement, in dB."""
  advance_minimum: ClosedUnit = 0.2
  """adaptive: minimum fraction of a stage's images."""

  def __post_init__(self):
    if self.advance == "adaptive" and not self.evaluate_images:
      raise UserError(
        "train.advance=adaptive needs the held-out metric: expected "
        "train.evaluate_images > 0."
      )
