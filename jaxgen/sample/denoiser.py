"""A loaded denoiser: conditional sampling, and edits of images."""

from __future__ import annotations

import dataclasses

from jaxgen.sample import (
  editing,
  generate,
  inpainting,
  painted_upscaling,
  restoration,
)
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks.companion import with_base
from jaxgen.typing import DenoiseFn


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DenoiserRun(LoadedRun):
  """A loaded run of a denoiser.

      run.sample(16, seed=0, conditions={"rock_type": "granite"}, guidance=2.0)
      run.inpaint(images, mask)

  Its methods are functions of a run, documented where they are defined. They
  take and return uint8 images `(n, h, w, c)`, and take the fields of
  `SamplingOptions` as keywords: sampler, steps, conditions, guidance,
  guidance_weights, interval, weak, eta, churn, hint, hint_noise, control_scale.
  """

  sample = generate.sample
  network_calls = generate.network_calls
  sampling_bytes = generate.sampling_bytes
  edit = editing.edit
  interpolate = editing.interpolate
  inpaint = inpainting.inpaint
  outpaint = inpainting.outpaint
  restore = restoration.restore
  upscale = painted_upscaling.upscale

  @property
  def denoise(self) -> DenoiseFn:
    """The denoiser with the run's weights, for noisy float images; clean ones
    are in [-1, 1]."""
    assert self.task.denoiser is not None  # guaranteed by `load`
    return self.task.denoiser(with_base(self.params, self.frozen))
