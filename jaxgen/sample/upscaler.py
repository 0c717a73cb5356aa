"""A loaded upscaler: enlargement of images of any size."""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxgen.sample import upscaling
from jaxgen.sample.run import LoadedRun


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class UpscalerRun(LoadedRun):
  """A loaded run of an upscaler.

      large = run.upscale(images)     # uint8 (n, h, w, c) to (n, fh, fw, c)

  Its methods are functions of a run, documented where they are defined.
  """

  upscale = upscaling.upscale
  upscale_float = upscaling.upscale_float

  @property
  def factor(self) -> int:
    """The factor by which images are enlarged."""
    return self.experiment.data.factor

  @property
  def reach(self) -> int:
    """The radius of the receptive field in pixels of the small image."""
    model: Any = self.experiment.model
    return model.reach(self.factor)
