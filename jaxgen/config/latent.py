"""The section `latent`: denoisers of the latents of an autoencoder."""

from __future__ import annotations

from typing import Literal

from jaxgen.config.fields import NonNegativeInt, section


@section("latent")
class LatentConfig:
  """The latents in which a denoiser works, instead of pixels."""

  run: str = ""
  """The workdir of a finished autoencoder, or the folder of a sweep of them;
  empty: pixels."""
  normalize: Literal["channel", "whiten"] = "channel"
  """The affine map to a standard deviation of diffusion.sigma_data, measured
  on train.latent_cache_tiles training tiles: of each channel, or of all
  together, so that they are uncorrelated (latents that are vectors)."""
  views: NonNegativeInt = 0
  """Epochs of cropped and flipped training tiles whose latents are stored once
  and trained on; 0: tiles are encoded in every step."""
