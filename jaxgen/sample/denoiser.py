"""A trained denoiser: new images, under conditions and guidance."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng, tasks
from jaxgen.diffusion import editing
from jaxgen.diffusion.guidance import compose
from jaxgen.diffusion.samplers import SAMPLERS, start
from jaxgen.errors import UserError
from jaxgen.options import Count, check_value
from jaxgen.sample.request import Request, resolve
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.tasks.images import to_uint8
from jaxgen.typing import Array, DenoiseFn, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class Denoiser(LoadedRun):
  """A run of a denoiser.

  Keywords that all its methods take, `**asked`, are those of
  `jaxgen.sample.request.resolve`: sampler, steps, conditions, guidance,
  weights, interval. Image i is a function of (seed, i) and of what is asked
  alone, whatever `num`, the batch size and the number of devices, but for the
  last bits of floating-point sums.
  """

  @property
  def conditions(self) -> dict[str, tuple[str, ...]]:
    """Names of the conditions, with the names of their values."""
    wanted = self.config.diffusion.conditions
    return {name: tuple(self.plan.names[name]) for name in wanted}

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
    check_value("num", Count, num)
    side = self.image_shape[0] if resolution is None else resolution
    tasks.build(self.config, side, self.plan.names)  # can it have this size?
    images, seen = self.draw(
      self.request(**asked),
      {},
      (num, side, side, self.image_shape[2]),
      seed=seed,
      trajectory=trajectory,
      batch=batch,
    )
    return (images, seen) if trajectory else images

  def request(self, **asked: Any) -> Request:
    """What is asked, checked; see `request.resolve`."""
    return resolve(self.conditions, self.config.diffusion, **asked)

  def draw(
    self,
    request: Request,
    inputs: dict[str, np.ndarray],
    shape: tuple[int, int, int, int],
    *,
    seed: int,
    batch: int,
    trajectory: bool = False,
    window: int = 0,
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
    """
    num, size = shape[0], self.whole_batch(batch)
    what = request.sampler, shape[1:], trajectory, request.plain, window
    grid = jnp.asarray(request.grid, jnp.float32)
    asked = grid, request.terms, request.weights, request.interval
    key, found = rng.stream(seed, "sample"), []
    for first in range(0, num, size):
      index = np.arange(first, first + size)
      keys = rng.per_sample(key, jnp.asarray(index))
      part = {k: v[np.minimum(index, num - 1)] for k, v in inputs.items()}
      put = self.plan.layout.batch
      keys, part = jax.device_put((keys, part), put)
      *images, good = self._program(self.params, keys, part, *asked, what)
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

  @functools.cached_property
  def _program(self):
    """One program for each sampler, length, number of terms and shape."""

    def run(params: Params, keys, part, grid, terms, weights, interval, what):
      name, shape, trajectory, plain, window = what
      denoise = _bind(self.denoise(params), terms, weights, interval, plain)
      if window:
        denoise = editing.windowed(denoise, window, window // 2)
      if "known" in part:
        denoise = editing.inpaint(denoise, part["known"], part["mask"])
      noise = start(keys, shape, grid[0]) + part.get("image", 0.0)
      x, seen = SAMPLERS[name](
        denoise, part.get("noise", noise), grid, keys=keys, trajectory=True
      )
      shown = to_uint8(seen) if trajectory else None
      return to_uint8(x), shown, jnp.isfinite(x).all()

    replicated = self.plan.layout.replicated
    return jax.jit(run, static_argnums=7, out_shardings=replicated)

  def denoise(self, params: Params) -> DenoiseFn:
    """The denoiser itself, on float images in [-1, 1] with noise."""
    denoiser = self.task.denoiser
    assert denoiser is not None  # `load` has seen to it
    return denoiser(params)


def _bind(denoise: DenoiseFn, terms, weights, interval, plain: bool):
  """A denoiser of `(x, sigma)`, at any batch size, under a request's terms."""

  def bound(x: Array, sigma: Array) -> Array:
    fill = lambda value: jnp.full((len(x),), value)  # noqa: E731
    filled = [jax.tree.map(fill, term) for term in terms]
    if plain:
      return denoise(x, sigma, filled[0])
    nothing = jax.tree.map(lambda v: jnp.full_like(v, -1), filled[0])
    return compose(denoise, nothing, filled, weights, interval)(x, sigma)

  return bound
