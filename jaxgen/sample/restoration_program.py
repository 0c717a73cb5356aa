"""The compiled restoration program of a run: the mean of the images that counts
allow by one call of the denoiser, or samples of them."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import sampling, tiling
from jaxgen.diffusion.sampling import Sampler
from jaxgen.models.layers import attention_tracing
from jaxgen.restoration import operators, posterior
from jaxgen.restoration.fusion import NO_INFORMATION
from jaxgen.restoration.named_operators import NamedOperator
from jaxgen.sample.program import denoiser_of
from jaxgen.sample.run import LoadedRun
from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Params, Sigmas

SPACING = 4  # pixels between the ones of a probe of the derivative
SMOOTHING = 5  # side of the square over which variances are averaged


class Arguments(NamedTuple):
  """The arguments of a restoration program, for the images of one batch.

  Attributes:
    params: parameters of the run.
    keys: one key per image.
    counts: electrons `(b, ...)`, NaN where nothing is seen.
    read_noise: electrons, shaped like `counts`.
    scale: electrons for one unit of the image `(b,)`.
    offset: electrons of an image of zeros `(b,)`.
    grid: noise levels of the sampler.
    cond: conditions `(b,)`.
  """

  params: Params
  keys: Array
  counts: np.ndarray | Array
  read_noise: np.ndarray | Array
  scale: np.ndarray | Array
  offset: np.ndarray | Array
  grid: Array
  cond: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramSpec:
  """The static arguments of a restoration program.

  Attributes:
    sampler: the sampler; None: the answer without sampling.
    shape: (height, width, channels) of the canvas.
    window: side of the windows of a larger canvas; 0: none.
    measured: what the counts measure of the canvas.
    corrections: see `restoration.posterior.restore`.
    noise_map: whether the denoiser takes noise maps.
  """

  sampler: Sampler | None
  shape: tuple[int, int, int]
  window: int
  measured: NamedOperator
  corrections: int
  noise_map: bool

  @property
  def mapped(self) -> bool:
    """Whether a call of the denoiser needs no derivative."""
    return self.noise_map and self.measured.operator.selects


def restoration_program(run: LoadedRun):
  """The jitted restoration of a run: `(Arguments, ProgramSpec)` to float images
  and, without sampling by a denoiser of noise maps, their variance or None."""
  denoiser = denoiser_of(run)

  def program(arguments: Arguments, spec: ProgramSpec):
    with attention_tracing("forward_mode" if _derives(spec) else ""):
      denoise = _conditioned(denoiser(arguments.params), arguments, spec)
      if spec.sampler is None:
        return _answer(denoise, jnp.asarray(arguments.counts), spec)
      grid = arguments.grid
      start = sampling.initial_noise(arguments.keys, spec.shape, sigma=grid[0])
      keys = arguments.keys
      return sampling.sample(
        spec.sampler, denoise, start, grid, keys=keys
      ), None

  replicated = run.layout.replicated
  return jax.jit(program, static_argnums=1, out_shardings=replicated)


def num_calls(spec: ProgramSpec, steps: int) -> int:
  """Denoiser calls for an image of one window; a derivative counts as one."""
  if spec.mapped:
    answer = 1 + 2 * SPACING**2 * spec.shape[2]
    return 1 + (spec.sampler.nfe(steps) if spec.sampler else answer)
  calls = spec.sampler.nfe(steps) if spec.sampler else 1
  return calls * (1 + spec.corrections)


def _derives(spec: ProgramSpec) -> bool:
  return not spec.mapped or spec.sampler is None


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
  each = lambda x: jnp.asarray(x)[:, None, None, None]  # noqa: E731
  return posterior.restore(
    denoise,
    jnp.asarray(arguments.counts),
    scale=each(arguments.scale),
    offset=each(arguments.offset),
    read_noise=jnp.asarray(arguments.read_noise),
    corrections=spec.corrections,
    operator=spec.measured.operator,
    noise_map=spec.noise_map,
  )


def _windowed(denoise: DenoiseFn, spec: ProgramSpec) -> DenoiseFn:
  if not spec.window:
    return denoise
  overlap = spec.window // 2
  return tiling.windowed(denoise, side=spec.window, overlap=overlap)


def _answer(
  denoise: DenoiseFn, counts: Array, spec: ProgramSpec
) -> tuple[Images, Images | None]:
  """The mean without sampling and, of a denoiser of noise maps, the variance of
  each pixel."""
  nothing = jnp.zeros((len(counts), *spec.shape))
  mean = denoise(nothing, jnp.full(len(counts), jnp.inf))
  if not spec.mapped:
    return mean, None
  seen = spec.measured.operator.adjoint(jnp.where(jnp.isnan(counts), 0.0, 1.0))
  return mean, _variance(denoise, nothing, seen)


def _variance(denoise: DenoiseFn, x: Images, seen: Images) -> Images:
  """The variance of each pixel: sigma^2 dD/dx of a denoiser given the counts,
  at a sigma at which x says nothing.

  Only the diagonal of the derivative is needed: each probe has ones of random
  sign, so far apart that they hardly see each other, and their channels are
  apart. What is left of that is averaged over a few pixels, those that are seen
  and the others apart. A network's may not be positive.
  """
  b, h, w, c = x.shape
  level = jnp.full(b, NO_INFORMATION)
  signs = jax.random.rademacher(jax.random.key(0), (1, h, w, 1), x.dtype)
  rows, columns = np.arange(h) % SPACING, np.arange(w) % SPACING
  cell = rows[:, None] * SPACING + columns[None]
  place = jnp.asarray(cell[None, ..., None] * c + np.arange(c))

  def add(total: Images, i: Array) -> tuple[Images, None]:
    probe = jnp.broadcast_to(jnp.where(place == i, signs, 0.0), x.shape)
    push = NO_INFORMATION**2 * probe
    _, slope = jax.jvp(lambda x: denoise(x, level), (x,), (push,))
    return total + probe * slope, None

  probes = jnp.arange(SPACING**2 * c)
  total, _ = jax.lax.scan(add, jnp.zeros_like(x), probes)
  return jnp.where(seen > 0, _mean(total, seen), _mean(total, 1 - seen))


def _mean(x: Images, weight: Images) -> Images:
  """The weighted means of squares of pixels around each pixel."""
  window, stride = (1, SMOOTHING, SMOOTHING, 1), (1, 1, 1, 1)
  add = lambda x: jax.lax.reduce_window(  # noqa: E731
    x, 0.0, jax.lax.add, window, stride, "SAME"
  )
  return add(x * weight) / jnp.maximum(add(weight), 1.0)
