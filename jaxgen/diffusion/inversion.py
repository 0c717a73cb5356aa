"""Initial states of a sampler computed from images.

- SDEdit: the image plus noise (arXiv:2108.01073);
- inversion: the probability flow backwards, from an image to its noise (DDIM,
  arXiv:2010.02502, section 4.3).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from jaxgen.diffusion import samplers, sampling
from jaxgen.typing import DenoiseFn, Images


def truncate(
  sigmas: Float[np.ndarray, " n"], strength: float | int
) -> Float[np.ndarray, " m"]:
  """The lower part of a grid, a fraction `strength` of its steps: at 1 the
  edited image is ignored, towards 0 it is kept."""
  steps = len(sigmas) - 1
  return sigmas[steps - max(1, round(strength * steps)) :]


def invert(
  denoise: DenoiseFn, images: Images, sigmas: Float[np.ndarray, " n"]
) -> Images:
  """The noise from which a deterministic sampler reproduces `images`.

  Heun's method up the grid without its 0; more steps are more accurate.
  """
  rising = np.asarray(sigmas)[:-1][::-1]
  return sampling.sample(samplers.heun, denoise, images, rising)
