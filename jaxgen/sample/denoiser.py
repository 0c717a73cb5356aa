"""A trained denoiser: new images, under conditions and guidance."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.diffusion import guidance, sampling, tiling
from jaxgen.diffusion.sampling import Sampler
from jaxgen.errors import UserError
from jaxgen.images import to_uint8
from jaxgen.models.layers import attention_tracing
from jaxgen.parallel.memory import program_bytes
from jaxgen.restoration import posterior
from jaxgen.sample.options import SamplingOptions, resolve
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.typing import Conditions, DenoiseFn, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
  """What a sampling program is compiled for; see `Request`.

  Attributes:
    shape: (height, width, channels) of an image.
    trajectory: whether it returns the denoised images of each step.
    window: side of the windows of a larger canvas; 0: none.
    corrections: of the answer, towards what is known; see
      `restoration.posterior.inpaint`.
    weak: the denoiser to be guided away from, a function of its parameters.
  """

  sampler: Sampler
  plain: bool
  shape: tuple[int, ...]
  trajectory: bool
  window: int
  corrections: int
  weak: Callable[[Params], DenoiseFn] | None

  @classmethod
  def of(
    cls,
    request: SamplingOptions,
    shape: tuple[int, ...],
    trajectory: bool = False,
    window: int = 0,
    corrections: int = 0,
  ) -> Program:
    """The program that answers a request."""
    return cls(
      sampler=request.sampler,
      plain=request.plain,
      shape=shape,
      trajectory=trajectory,
      window=window,
      corrections=corrections,
      weak=request.weak and request.weak.denoise,
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Denoiser(LoadedRun):
  """A run of a denoiser.

  Keywords that its methods take as `**asked` are those of
  `jaxgen.sample.options.resolve`: sampler, steps, conditions, guidance,
  weights, interval. Image i is a function of (seed, i) and of what is asked
  alone, whatever `num`, the batch size and the number of devices, but for the
  last bits of floating-point sums.
  """

  @property
  def conditions(self) -> dict[str, tuple[str, ...]]:
    """Names of the conditions, with the names of their values."""
    wanted = self.experiment.diffusion.conditions
    return {name: tuple(self.names[name]) for name in wanted}

  def sample(
    self,
    num: int = 16,
    *,
    seed: int = 0,
    resolution: int | None = None,
    trajectory: bool = False,
    batch: int = BATCH,
    **asked: Any,
  ) -> Any:
    """New images, uint8 `(num, h, w, c)`.

    Args:
      num: how many.
      seed: of the whole set.
      resolution: of the images, by default the last one of the training.
      trajectory: also return the denoised images of each step.
      batch: images a call of the compiled program.
      **asked: sampler, conditions, guidance: see `request.resolve`.

    Returns:
      The images; with `trajectory` a pair of them and of uint8
      `(steps, num, h, w, c)`.

    Raises:
      UserError: what this run does not know or cannot do.
    """
    check_value("num", PositiveInt, num)
    side = self.image_shape[0] if resolution is None else resolution
    check_value("resolution", PositiveInt, side)
    request = self.request(**asked)
    for run in filter(None, (self, request.weak)):
      task = run.task_at(side)  # can it have this size?
      if task.set_fade and side > run.image_shape[0]:
        raise UserError(
          f"resolution={side}: {run.workdir} has grown to "
          f"{run.image_shape[0]} pixels only."
        )
    images, seen = self.draw(
      request,
      {},
      (num, side, side, self.image_shape[2]),
      seed=seed,
      trajectory=trajectory,
      batch=batch,
    )
    return (images, seen) if trajectory else images

  def request(self, **asked: Any) -> SamplingOptions:
    """What is asked, checked; see `request.resolve`."""
    weak = asked.get("weak")
    if weak is not None:
      self._check_weak(weak)
    return resolve(self.conditions, self.experiment.diffusion, **asked)

  def _check_weak(self, weak: Any) -> None:
    if not isinstance(weak, Denoiser):
      raise UserError(
        f"weak={getattr(weak, 'workdir', weak)}: a loaded run of a denoiser is "
        "needed."
      )
    if weak.conditions != self.conditions:
      raise UserError(f"weak: {weak.workdir} knows other conditions.")
    if weak.image_shape[2] != self.image_shape[2]:
      raise UserError(f"weak: {weak.workdir} has images of other channels.")

  def draw(
    self,
    request: SamplingOptions,
    inputs: dict[str, np.ndarray],
    shape: tuple[int, int, int, int],
    *,
    seed: int,
    batch: int,
    trajectory: bool = False,
    window: int = 0,
    corrections: int = 0,
  ) -> tuple[np.ndarray, np.ndarray | None]:
    """Run a sampler over any number of images, in batches of one shape.

    Args:
      request: what is asked.
      inputs: arrays `(num, ...)`: `image` that the first noise is added to,
        `noise` to start from instead, `known` images and their `mask`.
      shape: `(num, h, w, c)`.
      seed: of the whole set.
      batch: images a call of the compiled program.
      trajectory: also return `(steps, num, h, w, c)`.
      window: side of the windows of a larger canvas; 0: none.
      corrections: towards the known images; see
      `restoration.posterior.inpaint`.
    """
    num, size = shape[0], self.whole_batch(batch, shape[0])
    what = Program.of(request, shape[1:], trajectory, window, corrections)
    found = []
    for first in range(0, num, size):
      index = np.arange(first, first + size)
      arguments = self._arguments(request, inputs, num, index, seed)
      *images, good = self._program(*arguments, what)
      if not good:
        raise UserError(
          f"{self.workdir}: the images are not finite: the weights are damaged "
          "or the model has diverged; choose another --checkpoint."
        )
      found.append([None if x is None else np.asarray(x) for x in images])
    images, seen = zip(*found, strict=True)
    return (
      np.concatenate(images)[:num],
      np.concatenate(seen, 1)[:, :num] if trajectory else None,
    )

  def _arguments(
    self,
    request: SamplingOptions,
    inputs: dict[str, np.ndarray],
    num: int,
    index: np.ndarray,
    seed: int,
  ) -> tuple:
    """What the program takes for the images of one batch."""
    keys = rng.per_sample(rng.stream(seed, "sample"), jnp.asarray(index))
    part = {k: v[np.minimum(index, num - 1)] for k, v in inputs.items()}
    params = self.params, request.weak and request.weak.params
    grid = jnp.asarray(request.grid, jnp.float32)
    terms = _rows(request.terms, index, num)
    placed = jax.device_put((keys, part), self.layout.batch)
    return params, *placed, grid, terms, request.weights, request.interval

  def sampling_bytes(self, batch: int = BATCH, **asked: Any) -> int:
    """Memory of the program that samples a batch, parameters included."""
    request, size = self.request(**asked), self.whole_batch(batch, batch)
    what = Program.of(request, self.image_shape)
    arguments = self._arguments(request, {}, size, np.arange(size), 0)
    return program_bytes(self._program.lower(*arguments, what).compile())

  @functools.cached_property
  def _program(self):
    """One program for each sampler, length, number of terms and shape."""

    def run(params, keys, part, grid, terms, weights, interval, what):
      denoise = self.denoise(params[0])
      if what.weak:
        weak, weight = what.weak(params[1]), weights[0]
        denoise = guidance.autoguidance(
          denoise, weak, weight=weight, interval=interval
        )
      if not what.plain:
        denoise = guidance.compose(denoise, weights=weights, interval=interval)
      if what.window:
        denoise = tiling.windowed(
          denoise, side=what.window, overlap=what.window // 2
        )
      if "known" in part:
        known, mask = part["known"], part["mask"]
        denoise = posterior.inpaint(
          denoise, known, mask, corrections=what.corrections
        )
      denoise = functools.partial(denoise, cond=_cond(terms, what.plain))
      noise = sampling.initial_noise(keys, what.shape, sigma=grid[0])
      noise = part.get("noise", noise + part.get("image", 0.0))
      with attention_tracing("forward_mode" if what.corrections else ""):
        x, seen = sampling.sample(
          what.sampler, denoise, noise, grid, keys=keys, trajectory=True
        )
      shown = to_uint8(seen) if what.trajectory else None
      return to_uint8(x), shown, jnp.isfinite(x).all()

    replicated = self.layout.replicated
    return jax.jit(run, static_argnums=7, out_shardings=replicated)

  def denoise(self, params: Params) -> DenoiseFn:
    """The denoiser itself, on float images in [-1, 1] with noise."""
    denoiser = self.task.denoiser
    assert denoiser is not None  # `load` has seen to it
    return denoiser(params)


def _rows(terms: Any, index: np.ndarray, num: int) -> Any:
  """The conditions of a batch of images, `(b,)` each."""

  def rows(value: Any) -> Any:
    if np.ndim(value) and len(value) != num:
      raise UserError(
        f"conditions: {len(value)} values for {num} images; one, or one for "
        "each image is needed."
      )
    each = np.broadcast_to(np.asarray(value, np.int32), (num,))
    return each[np.minimum(index, num - 1)]

  return jax.tree.map(rows, terms)


def _cond(terms: tuple[Conditions, ...], plain: bool) -> Conditions:
  """What the guided denoiser is conditioned on: see `guidance.compose`."""
  if plain:
    return terms[0]
  nothing = jax.tree.map(lambda value: jnp.full_like(value, -1), terms[0])
  return nothing, *terms
