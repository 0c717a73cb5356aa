"""What is to be sampled, and what was."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from jaxgen.sample.program_spec import Inputs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Canvas:
  """A specification of the images to sample.

  Attributes:
    shape: (n, height, width, channels).
    inputs: input images.
    window: side of the windows of a canvas larger than the run's images; 0: it
      is denoised as a whole.
    corrections: corrections towards known images, see
      `restoration.posterior.inpaint`.
    trajectory: whether to return the denoised images of each step as well.
    first: number of images before these that share the seed.
    stream: name of the random stream.
    one_noise: whether all images have the noise of the first.
  """

  shape: tuple[int, ...]
  inputs: Inputs = Inputs()
  window: int = 0
  corrections: int = 0
  trajectory: bool = False
  first: int = 0
  stream: str = "sample"
  one_noise: bool = False


class Drawn(NamedTuple):
  """Sampled images uint8 `(n, h, w, c)`, and those of each step `(steps, n, h,
  w, c)` if requested."""

  images: np.ndarray
  trajectory: np.ndarray | None
