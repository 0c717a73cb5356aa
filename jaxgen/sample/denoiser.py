"""A trained denoiser: new images, under conditions and guidance."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng, tasks
from jaxgen.diffusion import sigmas
from jaxgen.diffusion.guidance import EVERYWHERE, compose
from jaxgen.diffusion.samplers import SAMPLERS, start
from jaxgen.errors import UserError
from jaxgen.options import Count, Range, check_value
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.tasks.images import to_uint8
from jaxgen.typing import Array, Params

# name -> sampler, grid, steps
PRESETS = {
  "heun-18": ("heun", "karras", 18),
  "ddpm-1000": ("ddpm", "ddpm", 1000),
  "ddim-50": ("ddim", "ddpm", 50),
  "ddim-25": ("ddim", "ddpm", 25),
}
WEIGHT = Annotated[float, Range(-1000, 1000)]
STEPS = 18  # where neither a preset nor the caller says


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
  """What is asked of a sampler, checked.

  Attributes:
    sampler: of `samplers.SAMPLERS`.
    grid: the noise levels.
    terms: for each term of the guidance the value of each condition by its
      index, -1 where it is missing.
    weights: of the terms.
    interval: of sigma, in which the weights count.
  """

  sampler: str
  grid: np.ndarray
  terms: tuple[dict[str, int], ...]
  weights: tuple[float, ...]
  interval: tuple[float, float]

  @property
  def plain(self) -> bool:
    """Whether one answer of the denoiser is all that is needed."""
    return self.weights == (1.0,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Denoiser(LoadedRun):
  """A run of a denoiser."""

  @property
  def conditions(self) -> dict[str, tuple[str, ...]]:
    """Names of the conditions, with the names of their values."""
    wanted = self.config.diffusion.conditions
    return {name: tuple(self.plan.names[name]) for name in wanted}

  @functools.cached_property
  def _program(self):
    """One program for each sampler, length, number of terms and shape."""

    def run(params: Params, keys: Array, grid, terms, weights, interval, what):
      name, shape, trajectory, plain = what
      denoiser = self.task.denoiser
      assert denoiser is not None  # `load` has seen to it
      fill = lambda value: jnp.full((len(keys),), value)  # noqa: E731
      filled = [jax.tree.map(fill, term) for term in terms]
      denoise = denoiser(params)
      if plain:
        denoise = functools.partial(denoise, cond=filled[0])
      else:
        nothing = jax.tree.map(lambda x: jnp.full_like(x, -1), filled[0])
        denoise = compose(denoise, nothing, filled, weights, interval)
      x = start(keys, shape, grid[0])
      found = SAMPLERS[name](denoise, x, grid, keys=keys, trajectory=trajectory)
      good = jnp.isfinite(found[0] if trajectory else found).all()
      return jax.tree.map(to_uint8, found), good

    return jax.jit(
      run, static_argnums=6, out_shardings=self.plan.layout.replicated
    )

  def sample(
    self,
    num: int = 16,
    *,
    seed: int = 0,
    sampler: str = "heun-18",
    steps: int | None = None,
    conditions: Mapping[str, str] | None = None,
    guidance: float = 1.0,
    weights: Mapping[str, float] | None = None,
    interval: tuple[float, float] = EVERYWHERE,
    resolution: int | None = None,
    trajectory: bool = False,
    batch: int = BATCH,
  ) -> Any:
    """New images, uint8 `(num, h, w, c)`.

    Image i is a function of (seed, i) and of what is asked alone, whatever
    `num`, the batch size and the number of devices, but for the last bits of
    floating-point sums.

    Args:
      num: how many.
      seed: of the whole set.
      sampler: a preset (heun-18, ddpm-1000, ddim-50, ddim-25) or a sampler of
        `jaxgen.diffusion.samplers`.
      steps: of the sampler, instead of the preset's.
      conditions: what to show, `{"rock_type": "granite"}`; the rest is free.
      guidance: w of D_0 + w (D_c - D_0); 1 is none.
      weights: instead of it one w for each condition, which then go together
        as D_0 + sum_k w_k (D_k - D_0).
      interval: of sigma, outside of which nothing is guided.
      resolution: of the images, by default the last one of the training.
      trajectory: also return the denoised images of each step.
      batch: images a call of the compiled program.

    Returns:
      The images; with `trajectory` a pair of them and of uint8
      `(steps, num, h, w, c)`.

    Raises:
      UserError: what this run does not know or cannot do.
    """
    check_value("num", Count, num)
    request = self.request(
      sampler, steps, conditions or {}, guidance, weights or {}, interval
    )
    side = self.image_shape[0] if resolution is None else resolution
    tasks.build(self.config, side, self.plan.names)  # can it have this size?
    shape = side, side, self.image_shape[2]
    what = request.sampler, shape, trajectory, request.plain
    size, key = self.whole_batch(batch), rng.stream(seed, "sample")
    found = []
    for first in range(0, num, size):
      keys = rng.per_sample(key, jnp.arange(first, first + size))
      keys = jax.device_put(keys, self.plan.layout.batch)
      grid = jnp.asarray(request.grid, jnp.float32)
      asked = (request.terms, request.weights, request.interval)
      images, good = self._program(self.params, keys, grid, *asked, what)
      if not good:
        raise UserError(
          f"{self.workdir}: the images are not finite: the weights are damaged "
          "or the model has diverged; choose another --checkpoint."
        )
      found.append(jax.tree.map(np.asarray, images))
    if not trajectory:
      return np.concatenate(found)[:num]
    images, seen = (list(x) for x in zip(*found, strict=True))
    return np.concatenate(images)[:num], np.concatenate(seen, 1)[:, :num]

  def request(
    self,
    sampler: str,
    steps: int | None,
    conditions: Mapping[str, str],
    guidance: float,
    weights: Mapping[str, float],
    interval: tuple[float, float],
  ) -> Request:
    """Check and resolve what is asked of `sample`."""
    known = (*PRESETS, *SAMPLERS)
    check_value("sampler", Literal[*known], sampler)
    usual = "ddpm" if sampler in ("ddpm", "ddim") else "karras"
    name, grid, length = PRESETS.get(sampler, (sampler, usual, STEPS))
    length = length if steps is None else steps
    check_value("steps", Count, length)
    for weighted, value in {"guidance": guidance, **weights}.items():
      check_value(weighted, WEIGHT, value)
    terms, term_weights = self._terms(conditions, guidance, weights)
    return Request(
      sampler=name,
      grid=self._grid(grid, length),
      terms=terms,
      weights=term_weights,
      interval=interval,
    )

  def _grid(self, kind: str, steps: int) -> np.ndarray:
    options = self.config.diffusion
    if kind == "ddpm":
      return sigmas.ddpm(steps)
    return sigmas.karras(steps, options.sigma_min, options.sigma_max)

  def _terms(
    self,
    conditions: Mapping[str, str],
    guidance: float,
    weights: Mapping[str, float],
  ) -> tuple[tuple[dict[str, int], ...], tuple[float, ...]]:
    """The terms of the guidance; the first is of weight 1 where it is plain."""
    asked = {k: self._index(k, v) for k, v in conditions.items()}
    for name in weights:
      if name not in asked:
        raise UserError(
          f"weights: {name} has a weight but no value; name one of "
          f"{', '.join(self.conditions.get(name, ())) or 'the conditions'}."
        )
    if not asked and guidance != 1:
      raise UserError(
        f"guidance={guidance}: guidance needs a condition; this run knows "
        f"{', '.join(self.conditions) or 'none: it is unconditional'}."
      )
    if weights:
      every = [self._only({k: v}) for k, v in asked.items()]
      return tuple(every), tuple(float(weights.get(k, 1.0)) for k in asked)
    return (self._only(asked),), (float(guidance),)

  def _only(self, asked: Mapping[str, int]) -> dict[str, int]:
    return {name: asked.get(name, -1) for name in self.conditions}

  def _index(self, name: str, value: str) -> int:
    if name not in self.conditions:
      raise UserError(
        f"{name}={value}: this run knows no such condition; it knows "
        f"{', '.join(self.conditions) or 'none'}."
      )
    known = self.conditions[name]
    if str(value) not in known:
      raise UserError(f"{name}={value}: one of {', '.join(known)} is needed.")
    return known.index(str(value))
