"""A denoiser with its weights, run over many images."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Key

from jaxgen import batching, progress, rng
from jaxgen.diffusion import sigmas
from jaxgen.sample.conditions import FREE
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.program import prior_of
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Params, Sigmas

Keys = Key[Array, " b"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prior:
  """A denoiser with its weights.

  Attributes:
    denoiser: params -> denoiser.
    params: the weights.
    noise_map: whether it takes noise maps.
    sigma_max: highest noise level of samplers.
    batch: images per batch.
  """

  denoiser: Callable[[Params], DenoiseFn]
  params: Params
  noise_map: bool
  sigma_max: float = sigmas.SIGMA_MAX
  batch: int = 64

  @classmethod
  def of(cls, run: DenoiserRun, *, batch: int) -> Prior:
    """The denoiser of a run, without values of its conditions."""
    names = tuple(run.conditions)
    return cls(
      denoiser=functools.partial(_free, prior_of(run), names),
      params=run.params,
      noise_map=run.experiment.diffusion.noise_map,
      sigma_max=run.experiment.diffusion.sigma_max,
      batch=batch,
    )

  def each(
    self,
    function: Callable[..., Array],
    images: dict[str, np.ndarray],
    *fixed: object,
    label: str,
  ) -> np.ndarray:
    """A jitted function of the weights, batches of arrays and more arguments,
    over all images."""
    parts, num = [], len(images["image"])
    size = min(self.batch, 1 << (num - 1).bit_length())
    with progress.loop(label, num) as advance:
      for part, _ in batching.padded_batches(images, size):
        parts.append(np.asarray(function(self.params, *part.values(), *fixed)))
        advance(size)
    return np.concatenate(parts)[:num]


def _free(
  denoiser: Callable[[Params], DenoiseFn],
  names: tuple[str, ...],
  params: Params,
) -> DenoiseFn:
  """A denoiser without values of its conditions, except those it is given."""
  denoise = denoiser(params)

  def unconditional(
    x: Images, sigma: Sigmas, cond: Conditions = None
  ) -> Images:
    free = {name: jnp.full(len(x), FREE) for name in names}
    return denoise(x, sigma, free | (cond or {}) or None)

  return unconditional


def image_keys(seed: int, num: int, purpose: str) -> Keys:
  """A random key of each image, whatever their number, for a purpose."""
  return rng.per_sample(rng.stream(seed, purpose), jnp.arange(num))
