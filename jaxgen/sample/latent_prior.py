"""Sampling from an autoencoder, by a denoiser of its latents."""

from __future__ import annotations

from typing import Unpack

import jax
import numpy as np

from jaxgen.errors import UserError
from jaxgen.runs.companions import digest
from jaxgen.sample import generate
from jaxgen.sample.options import SamplingKeywords
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks.latent_space import CODEC


def sample(
  run: LoadedRun,
  prior: LoadedRun | None,
  num: int,
  *,
  seed: int,
  batch: int,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Sample new images, uint8 `(num, h, w, c)`: those of the denoiser, which has
  the same decoder.

  Args:
    run: a run of an autoencoder.
    prior: a run of latent diffusion.
    num: number of images.
    seed: seed of the whole set.
    batch: images per batch.
    **options: fields of `SamplingOptions`.

  Raises:
    UserError: `prior` is not in the latents of these weights.
  """
  if prior is None:
    raise UserError(
      "method='diffusion': expected prior, a run of latent diffusion in the"
      f" latents of {run.workdir}."
    )
  codec = prior.companions.runs.get(CODEC)
  params = jax.tree.map(np.asarray, run.params)
  if codec is None or codec.digest != digest(run.experiment, params):
    raise UserError(
      f"prior={prior.workdir}: expected latent diffusion in the latents of"
      f" {run.workdir} at step {run.step}."
    )
  return generate.sample(prior, num, seed=seed, batch=batch, **options)
