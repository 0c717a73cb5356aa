"""The compiled sampler of a run: the denoiser with its guidance, windows and
known pixels, walked down a grid of noise levels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion import guidance, sampling, tiling
from jaxgen.diffusion.sampling import Sampler
from jaxgen.errors import UserError
from jaxgen.images import to_uint8
from jaxgen.models.layers import attention_tracing
from jaxgen.restoration import posterior
from jaxgen.sample.resolve import FREE
from jaxgen.sample.run import LoadedRun
from jaxgen.typing import Array, Conditions, DenoiseFn, Params

Denoiser = Callable[[Params], DenoiseFn]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
  """Images that new ones are made from, `(n, ...)` each; None: there are none.

  Attributes:
    image: float images that the first noise is added to.
    noise: to start from instead.
    known: float images that are known where `mask` is True.
    mask: booleans `(n, h, w, 1)`.
  """

  image: np.ndarray | Array | None = None
  noise: np.ndarray | Array | None = None
  known: np.ndarray | Array | None = None
  mask: np.ndarray | Array | None = None


class Arguments(NamedTuple):
  """The arguments of a sampling program, for the images of one batch.

  Attributes:
    params: of the run.
    weak_params: of the run to be guided away from, if any.
    keys: one for each image.
    inputs: that they are made from.
    grid: the noise levels.
    terms: conditions `(b,)` of each term of the guidance.
    weights: of the terms.
    interval: of sigma, in which the weights count.
  """

  params: Params
  weak_params: Params
  keys: Array
  inputs: Inputs
  grid: Array
  terms: tuple[dict[str, np.ndarray], ...]
  weights: tuple[float, ...]
  interval: tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramSpec:
  """The static part of a sampling program: it is compiled for each.

  Attributes:
    sampler: with its own options.
    plain: whether the denoiser is called once, under one term.
    weak: the denoiser to be guided away from, if any.
    image_shape: (height, width, channels).
    window: side of the windows of a larger canvas; 0: none.
    corrections: towards known images, see `restoration.posterior.inpaint`.
    trajectory: whether the denoised images of each step are returned.
  """

  sampler: Sampler
  plain: bool
  weak: Denoiser | None
  image_shape: tuple[int, ...]
  window: int
  corrections: int
  trajectory: bool


def denoiser_of(run: LoadedRun) -> Denoiser:
  """The denoiser of a run as a function of its parameters.

  Raises:
    UserError: the run is not one of a denoiser.
  """
  if run.task.denoiser is None:
    raise UserError(f"{run.workdir}: expected a run of a denoiser.")
  return run.task.denoiser


def sampling_program(run: LoadedRun):
  """The sampler of a run, jitted: `(Arguments, ProgramSpec)` to images uint8,
  those of each step or None, and whether all are finite.

  It is compiled once for each spec, length of the grid, number of terms and
  batch size.
  """
  denoiser = denoiser_of(run)

  def program(arguments: Arguments, spec: ProgramSpec):
    denoise = _guided(denoiser, arguments, spec)
    start, grid = _start(arguments, spec), arguments.grid
    with attention_tracing("forward_mode" if spec.corrections else ""):
      x, seen = sampling.sample(
        spec.sampler, denoise, start, grid, keys=arguments.keys, trajectory=True
      )
    shown = to_uint8(seen) if spec.trajectory else None
    return to_uint8(x), shown, jnp.isfinite(x).all()

  replicated = run.layout.replicated
  return jax.jit(program, static_argnums=1, out_shardings=replicated)


def _guided(
  denoiser: Denoiser, arguments: Arguments, spec: ProgramSpec
) -> DenoiseFn:
  """The denoiser under everything that is requested, conditions included."""
  weights, interval = arguments.weights, arguments.interval
  denoise = denoiser(arguments.params)
  if spec.weak is not None:
    denoise = guidance.autoguidance(
      denoise,
      spec.weak(arguments.weak_params),
      weight=weights[0],
      interval=interval,
    )
  if not spec.plain:
    denoise = guidance.compose(denoise, weights=weights, interval=interval)
  if spec.window:
    denoise = tiling.windowed(
      denoise, side=spec.window, overlap=spec.window // 2
    )
  known, mask = arguments.inputs.known, arguments.inputs.mask
  if known is not None and mask is not None:
    denoise = posterior.inpaint(
      denoise,
      jnp.asarray(known),
      jnp.asarray(mask),
      corrections=spec.corrections,
    )
  return functools.partial(denoise, cond=_cond(arguments.terms, spec.plain))


def _cond(terms: tuple[Conditions, ...], plain: bool) -> Conditions:
  """The conditions of the guided denoiser, see `guidance.compose`."""
  if plain:
    return terms[0]
  free = jax.tree.map(lambda value: jnp.full_like(value, FREE), terms[0])
  return free, *terms


def _start(arguments: Arguments, spec: ProgramSpec) -> Array:
  """The images at the top of the grid."""
  inputs = arguments.inputs
  if inputs.noise is not None:
    return jnp.asarray(inputs.noise)
  noise = sampling.initial_noise(
    arguments.keys, spec.image_shape, sigma=arguments.grid[0]
  )
  return noise if inputs.image is None else noise + inputs.image
