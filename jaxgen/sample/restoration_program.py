"""The compiled restoration program of a run: the mean of the images that counts
allow by one call of the denoiser, or samples of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import sampling, tiling
from jaxgen.models.attention import attention_tracing
from jaxgen.restoration import binning, operators, posterior
from jaxgen.sample import predicted_variance
from jaxgen.sample.program import prior_of
from jaxgen.sample.restoration_spec import Arguments, ProgramSpec
from jaxgen.sample.run import LoadedRun
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas


def restoration_program(run: LoadedRun, side: int):
  """The jitted restoration of a run by its denoiser of a resolution:
  `(Arguments, ProgramSpec)` to float images of the size of the counts and,
  without sampling by a denoiser of noise maps, their variance or None."""
  denoiser = prior_of(run, side)

  def program(arguments: Arguments, spec: ProgramSpec):
    few = _binned(arguments, spec.factor)
    with attention_tracing("forward_mode" if spec.derives else ""):
      images, variance = _restored(denoiser(few.params), few, spec)
    if spec.factor == 1:
      return images, variance
    if variance is not None:
      variance = binning.enlarge_variance(variance, spec.factor)
    return binning.enlarge(images, spec.factor), variance

  replicated = run.layout.replicated
  return jax.jit(program, static_argnums=1, out_shardings=replicated)


def _binned(arguments: Arguments, factor: int) -> Arguments:
  """The arguments with counts at a lower resolution, and their model by
  pixel."""
  if factor == 1:
    return arguments
  few = binning.bin_counts(
    jnp.asarray(arguments.counts),
    factor,
    scale=_by_pixel(arguments.scale),
    offset=_by_pixel(arguments.offset),
    read_noise=arguments.read_noise,
  )
  return arguments._replace(**few._asdict())


def _restored(
  denoise: DenoiseFn, arguments: Arguments, spec: ProgramSpec
) -> tuple[Images, Images | None]:
  denoise = _conditioned(denoise, arguments, spec)
  if spec.sampler is None:
    return _answer(denoise, jnp.asarray(arguments.counts), spec)
  grid, keys = arguments.grid, arguments.keys
  start = sampling.initial_noise(keys, spec.shape, sigma=grid[0])
  return sampling.sample(spec.sampler, denoise, start, grid, keys=keys), None


def _conditioned(
  denoise: DenoiseFn, arguments: Arguments, spec: ProgramSpec
) -> DenoiseFn:
  """The denoiser given the counts, of the whole canvas.

  Precisions are by pixel, or by canvas for the operators that mix pixels. A
  denoiser without noise maps has one precision per window.
  """
  by_window = spec.measured.operator is operators.identity
  if by_window and not spec.mapped:
    return _window_by_window(denoise, arguments, spec)

  def bound(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    told = arguments.cond | (cond or {})
    return _windowed(denoise, spec)(x, sigma, told)

  return _posterior(bound, arguments, spec)


def _window_by_window(
  denoise: DenoiseFn, arguments: Arguments, spec: ProgramSpec
) -> DenoiseFn:
  """The denoiser given the counts of each window."""

  def one(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    part = arguments._replace(**(cond or {}))

    def bound(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
      return denoise(x, sigma, part.cond)

    return _posterior(bound, part, spec)(x, sigma)

  names = ("counts", "read_noise", "scale", "offset", "cond")
  given = {name: getattr(arguments, name) for name in names}

  def conditioned(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    return _windowed(one, spec)(x, sigma, given)

  return conditioned


def _posterior(
  denoise: DenoiseFn, arguments: Arguments, spec: ProgramSpec
) -> DenoiseFn:
  return posterior.restore(
    denoise,
    jnp.asarray(arguments.counts),
    scale=_by_pixel(arguments.scale),
    offset=_by_pixel(arguments.offset),
    read_noise=jnp.asarray(arguments.read_noise),
    corrections=spec.corrections,
    operator=spec.measured.operator,
    noise_map=spec.noise_map,
  )


def _by_pixel(x: np.ndarray | Array) -> Array:
  """Numbers of images, or of their pixels, to be broadcast to images."""
  x = jnp.asarray(x)
  return x if x.ndim == 4 else x[:, None, None, None]


def _windowed(denoise: DenoiseFn, spec: ProgramSpec) -> DenoiseFn:
  if spec.num_windows == 1:
    return denoise
  return tiling.windowed(denoise, side=spec.side, overlap=spec.side // 2)


def _answer(
  denoise: DenoiseFn, counts: Array, spec: ProgramSpec
) -> tuple[Images, Images | None]:
  """The mean without sampling and, of a denoiser of noise maps, the variance of
  each pixel if that is wanted."""
  nothing = jnp.zeros((len(counts), *spec.shape))
  mean = denoise(nothing, jnp.full(len(counts), jnp.inf))
  if not spec.mapped or not spec.with_std:
    return mean, None
  seen = spec.measured.operator.adjoint(jnp.where(jnp.isnan(counts), 0.0, 1.0))
  return mean, predicted_variance.variance(denoise, nothing, seen)
