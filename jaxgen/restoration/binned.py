"""The mean of clean images given counts, restored at a lower resolution."""

from __future__ import annotations

import jax.numpy as jnp

from jaxgen.restoration import binning, posterior
from jaxgen.restoration.counts import PerValue
from jaxgen.typing import DenoiseFn, Images


def restored_mean(
  denoise: DenoiseFn,
  counts: Images,
  *,
  factor: int,
  scale: PerValue,
  offset: PerValue,
  read_noise: PerValue,
  noise_map: bool,
) -> Images:
  """The posterior mean at full resolution, without a sampler.

  Args:
    denoise: the denoiser, of images smaller by `factor`.
    counts: electrons `(b, h, w, c)`, NaN where nothing is seen.
    factor: pixels that are summed along each side; 1: none.
    scale, offset, read_noise, noise_map: as for `posterior.restore`.
  """
  few = binning.bin_counts(
    counts, factor, scale=scale, offset=offset, read_noise=read_noise
  )
  restore = posterior.restore(denoise, **few._asdict(), noise_map=noise_map)
  nothing = jnp.full(len(counts), jnp.inf)
  mean = restore(jnp.zeros_like(few.counts), nothing)
  return binning.enlarge(mean, factor)
