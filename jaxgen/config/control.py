"""The section `control`: the denoiser that a ControlNet steers."""

from __future__ import annotations

from jaxgen.config.fields import section


@section("control")
class ControlConfig:
  """A finished denoiser, steered by hints (ControlNet, arXiv:2302.05543)."""

  base: str = ""
  """The workdir of the denoiser, or the folder of a sweep of them: task
  diffusion without hints, with the same model, data and latents as here."""
