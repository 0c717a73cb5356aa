"""The compiled sampling program of a run: a sampler over the denoiser with
guidance, windows and known pixels."""

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
from jaxgen.sample import conditions, feather
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks.denoising_loss import HINTS, folded
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Space
from jaxgen.typing import Array, Codec, DenoiseFn, Params

Denoiser = Callable[[Params], DenoiseFn]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
  """Input images of a sampling program, each `(n, ...)` or None.

  Attributes:
    image: float images to which the initial noise is added.
    noise: initial noise to use instead.
    known: float images that are known where `mask` is True.
    mask: booleans `(n, h, w, 1)`.
    hint: hints of the images, float.
  """

  image: np.ndarray | Array | None = None
  noise: np.ndarray | Array | None = None
  known: np.ndarray | Array | None = None
  mask: np.ndarray | Array | None = None
  hint: np.ndarray | Array | None = None


class Arguments(NamedTuple):
  """The arguments of a sampling program, for the images of one batch.

  Attributes:
    params: parameters of the run.
    frozen: those that its task does not train.
    weak_params: parameters of the weak run, if any.
    keys: one key per image.
    inputs: input images.
    grid: noise levels.
    terms: conditions `(b,)` of each guidance term.
    weights: weights of the terms.
    interval: interval of sigma in which the weights apply.
    hint_noise: standard deviation of noise on the hints.
  """

  params: Params
  frozen: dict[str, Params]
  weak_params: Params
  keys: Array
  inputs: Inputs
  grid: Array
  terms: tuple[dict[str, np.ndarray], ...]
  weights: tuple[float, ...]
  interval: tuple[float, float]
  hint_noise: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramSpec:
  """The static arguments of a sampling program.

  Attributes:
    sampler: the sampler with its options.
    plain: whether the denoiser is called once, with a single term.
    weak: denoiser of the weak run, if any.
    state_shape: (height, width, channels) of what the sampler walks.
    window: side of the windows of a larger canvas; 0: none.
    corrections: corrections towards known images, see
      `restoration.posterior.inpaint`.
    trajectory: whether to return the denoised images of each step.
  """

  sampler: Sampler
  plain: bool
  weak: Denoiser | None
  state_shape: tuple[int, ...]
  window: int
  corrections: int
  trajectory: bool


def denoiser_of(run: LoadedRun, side: int = 0) -> Denoiser:
  """The denoiser of a run as a function of its parameters, at the run's
  resolution or another one.

  Raises:
    UserError: the run is not of a denoiser.
  """
  task = run.task if side in (0, run.resolution) else run.task_at(side)
  if task.denoiser is None:
    raise UserError(f"{run.workdir}: expected a run of a denoiser.")
  return task.denoiser


def space_of(run: LoadedRun) -> Space:
  """What the denoiser of a run works on."""
  assert run.task.space is not None  # that of a denoiser
  return run.task.space


def sampling_program(run: LoadedRun):
  """The jitted sampler of a run: `(Arguments, ProgramSpec)` to uint8 images,
  those of each step or None, and whether all are finite.

  It is compiled once per spec, length of the grid, number of terms and batch
  size.
  """
  denoiser, space, hint = denoiser_of(run), space_of(run), run.task.hint

  def program(arguments: Arguments, spec: ProgramSpec):
    codec = space.codec(arguments.frozen, arguments.inputs.hint)
    guided = _guided(denoiser, arguments, spec, codec=codec)
    cond = conditions.of_terms(
      arguments.terms, plain=spec.plain, tell=_tell(hint, arguments)
    )
    denoise = functools.partial(guided, cond=cond)
    start, grid = _start(arguments, spec, codec), arguments.grid
    with attention_tracing("forward_mode" if spec.corrections else ""):
      x, denoised = sampling.sample(
        spec.sampler, denoise, start, grid, keys=arguments.keys, trajectory=True
      )
    images = to_uint8(codec.decode(x))
    each = lambda state: to_uint8(codec.decode(state))  # noqa: E731
    trajectory = jax.lax.map(each, denoised) if spec.trajectory else None
    return images, trajectory, jnp.isfinite(x).all()

  replicated = run.layout.replicated
  return jax.jit(program, static_argnums=1, out_shardings=replicated)


def _tell(hint: Hint | None, arguments: Arguments) -> conditions.Tell | None:
  """What the network is told of the hints, if there are any."""
  images = arguments.inputs.hint
  if hint is None or images is None:
    return None
  keys, noise = folded(arguments.keys, HINTS), arguments.hint_noise
  return conditions.telling(hint, jnp.asarray(images), noise=noise, keys=keys)


def _guided(
  denoiser: Denoiser, arguments: Arguments, spec: ProgramSpec, *, codec: Codec
) -> DenoiseFn:
  """The denoiser with all requested options."""
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
      codec.encode(jnp.asarray(known)),
      feather.known_cells(jnp.asarray(mask), spec.state_shape),
      corrections=spec.corrections,
    )
  return denoise


def _start(arguments: Arguments, spec: ProgramSpec, codec: Codec) -> Array:
  """The initial noisy states."""
  inputs = arguments.inputs
  if inputs.noise is not None:
    return jnp.asarray(inputs.noise)
  noise = sampling.initial_noise(
    arguments.keys, spec.state_shape, sigma=arguments.grid[0]
  )
  if inputs.image is None:
    return noise
  return noise + codec.encode(jnp.asarray(inputs.image))
