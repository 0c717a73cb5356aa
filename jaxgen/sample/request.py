"""What is asked of a sampler: presets, conditions, guidance; all checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np

from jaxgen.diffusion import sigmas
from jaxgen.diffusion.guidance import EVERYWHERE
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.errors import UserError
from jaxgen.options import Count, Range, check_value
from jaxgen.tasks import Names

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
  """What is asked of a sampler.

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


def resolve(
  known: Names,
  options: Any,
  *,
  sampler: str = "heun-18",
  steps: int | None = None,
  conditions: Mapping[str, str] | None = None,
  guidance: float = 1.0,
  weights: Mapping[str, float] | None = None,
  interval: tuple[float, float] = EVERYWHERE,
) -> Request:
  """Check what is asked and look up names.

  Args:
    known: conditions of the run, and their values.
    options: the section `diffusion` of the run's config.
    sampler: a preset (heun-18, ddpm-1000, ddim-50, ddim-25) or a sampler of
      `jaxgen.diffusion.samplers`.
    steps: of the sampler, instead of the preset's.
    conditions: what to show, `{"rock_type": "granite"}`; the rest is free.
    guidance: w of D_0 + w (D_c - D_0); 1 is none.
    weights: instead of it one w for each condition, which then go together as
      D_0 + sum_k w_k (D_k - D_0).
    interval: of sigma, outside of which nothing is guided.

  Raises:
    UserError: what the run does not know or cannot do.
  """
  names = (*PRESETS, *SAMPLERS)
  check_value("sampler", Literal[*names], sampler)
  usual = "ddpm" if sampler in ("ddpm", "ddim") else "karras"
  name, kind, length = PRESETS.get(sampler, (sampler, usual, STEPS))
  length = length if steps is None else steps
  check_value("steps", Count, length)
  weights = weights or {}
  for weighted, value in {"guidance": guidance, **weights}.items():
    check_value(weighted, WEIGHT, value)
  grid = (
    sigmas.ddpm(length)
    if kind == "ddpm"
    else sigmas.karras(length, options.sigma_min, options.sigma_max)
  )
  terms, every = _terms(known, conditions or {}, guidance, weights)
  return Request(
    sampler=name, grid=grid, terms=terms, weights=every, interval=interval
  )


def _terms(
  known: Names,
  conditions: Mapping[str, str],
  guidance: float,
  weights: Mapping[str, float],
) -> tuple[tuple[dict[str, int], ...], tuple[float, ...]]:
  """The terms of the guidance; the first is of weight 1 where it is plain."""
  asked = {k: _index(known, k, v) for k, v in conditions.items()}
  for name in weights:
    if name not in asked:
      raise UserError(
        f"weights: {name} has a weight but no value; name one of "
        f"{', '.join(known.get(name, ())) or 'the conditions'}."
      )
  if not asked and guidance != 1:
    raise UserError(
      f"guidance={guidance}: guidance needs a condition; this run knows "
      f"{', '.join(known) or 'none: it is unconditional'}."
    )
  if weights:
    every = [_only(known, {k: v}) for k, v in asked.items()]
    return tuple(every), tuple(float(weights.get(k, 1.0)) for k in asked)
  return (_only(known, asked),), (float(guidance),)


def _only(known: Names, asked: Mapping[str, int]) -> dict[str, int]:
  return {name: asked.get(name, -1) for name in known}


def _index(known: Names, name: str, value: str) -> int:
  if name not in known:
    raise UserError(
      f"{name}={value}: this run knows no such condition; it knows "
      f"{', '.join(known) or 'none'}."
    )
  values = known[name]
  if str(value) not in values:
    raise UserError(f"{name}={value}: one of {', '.join(values)} is needed.")
  return values.index(str(value))
