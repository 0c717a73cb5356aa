"""The compiled sampling program of a run: a sampler over the denoiser with
guidance, windows and known pixels."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgen.diffusion import guidance, sampling, tiling
from jaxgen.errors import UserError
from jaxgen.images import to_uint8
from jaxgen.models.attention import attention_tracing
from jaxgen.restoration import posterior
from jaxgen.sample import conditions, feather
from jaxgen.sample.few_steps import check_prior
from jaxgen.sample.program_spec import (
  Arguments,
  Denoiser,
  ProgramSpec,
)
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks.companion import with_base
from jaxgen.tasks.examples import HINTS, folded
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Space
from jaxgen.typing import Array, Codec, DenoiseFn


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


def prior_of(run: LoadedRun, side: int = 0) -> Denoiser:
  """The denoiser of a run as a prior of images, at the run's resolution or
  another one.

  Raises:
    UserError: it does not work on images, or needs hints.
  """
  check_prior(run, "prior")
  denoiser = denoiser_of(run, side)
  told = run.task.hint is not None and not run.experiment.hint.drop_prob
  if run.companions.runs or space_of(run).numbers or told:
    raise UserError(
      f"{run.workdir}: expected a denoiser of images as the prior, got one of"
      " latents or residuals, or one that needs hints."
    )
  return denoiser


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
    given = arguments.inputs.hint
    hints = None if given is None else jnp.asarray(given)
    codec = space.codec(arguments.frozen, hints)
    guided = _guided(denoiser, arguments, spec, codec=codec)
    cond = conditions.of_terms(
      arguments.terms, plain=spec.plain, tell=_tell(hint, arguments)
    )
    denoise = sampling.bind(guided, cond)
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
  return conditions.telling(
    hint,
    jnp.asarray(images),
    noise=arguments.hint_noise,
    keys=folded(arguments.keys, HINTS),
    scale=arguments.control_scale,
  )


def _guided(
  denoiser: Denoiser, arguments: Arguments, spec: ProgramSpec, *, codec: Codec
) -> DenoiseFn:
  """The denoiser with all requested options."""
  weights, interval = arguments.weights, arguments.interval
  denoise = denoiser(with_base(arguments.params, arguments.frozen))
  if spec.weak is not None:
    denoise = guidance.autoguidance(
      denoise,
      spec.weak(with_base(arguments.weak_params, arguments.frozen)),
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
