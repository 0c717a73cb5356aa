"""What is asked of a sampler: presets, conditions, guidance; all checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from jaxgen.config.fields import NonNegative, check_value
from jaxgen.diffusion import samplers, sigmas, vp
from jaxgen.diffusion.guidance import EVERYWHERE
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.diffusion.sampling import Sampler
from jaxgen.errors import UserError
from jaxgen.typing import ConditionNames

# name -> sampler, grid, steps
PRESETS = {
  "heun-18": ("heun", "karras", 18),
  "ddpm-1000": ("ddpm", "ddpm", 1000),
  "ddim-50": ("ddim", "ddpm", 50),
  "ddim-25": ("ddim", "ddpm", 25),
}
# a value, or one for each image
Asked = str | Sequence[str | None] | np.ndarray
ETA = Annotated[float, Field(ge=0, le=1)]
WEIGHT = Annotated[float, Field(ge=-1000, le=1000)]
STEPS = 18  # where neither a preset nor the caller says


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingOptions:
  """What is asked of a sampler.

  Attributes:
    sampler: with its options.
    grid: the noise levels.
    terms: for each term of the guidance the value of each condition by its
      index, or an index for each image `(n,)`; -1 where it is missing.
    weights: of the terms.
    interval: of sigma, in which the weights count.
    weak: a loaded run of a denoiser to be guided away from, or None.
  """

  sampler: Sampler
  grid: np.ndarray
  terms: tuple[dict[str, Any], ...]
  weights: tuple[float, ...]
  interval: tuple[float, float]
  weak: Any = None

  @property
  def calls(self) -> int:
    """Answers of a denoiser that one image takes."""
    others = [self.weak] if self.plain else self.terms
    each = 1 + sum(x is not None for x in others)
    return each * self.sampler.nfe(len(self.grid) - 1)

  @property
  def plain(self) -> bool:
    """Whether one answer of the denoiser is all that is needed."""
    return self.weights == (1.0,) or self.weak is not None


def resolve(
  known: ConditionNames,
  options: Any,
  *,
  sampler: str = "heun-18",
  steps: int | None = None,
  conditions: Mapping[str, Asked] | None = None,
  guidance: float = 1.0,
  weights: Mapping[str, float] | None = None,
  interval: tuple[float, float] = EVERYWHERE,
  weak: Any = None,
  eta: float | None = None,
  churn: float | None = None,
) -> SamplingOptions:
  """Check what is asked and look up names.

  Args:
    known: conditions of the run, and their values.
    options: the section `diffusion` of the run's config.
    sampler: a preset (heun-18, ddpm-1000, ddim-50, ddim-25) or a sampler of
      `jaxgen.diffusion.samplers`.
    steps: of the sampler, instead of the preset's.
    conditions: what to show, `{"rock_type": "granite"}`, or a list with a
      value for each image (None: free); what is not named is free.
    guidance: w of D_0 + w (D_c - D_0); 1 is none.
    weights: instead of it one w for each condition, which then go together as
      D_0 + sum_k w_k (D_k - D_0).
    interval: of sigma, outside of which nothing is guided.
    weak: a worse run of the same images, loaded: an earlier checkpoint, or a
      smaller model. Then w is that of D_weak + w (D - D_weak) (autoguidance).
    eta: of DDIM, the share of DDPM's noise, 0 to 1.
    churn: S_churn of `edm_stochastic`.

  Raises:
    UserError: what the run does not know or cannot do.
  """
  names = (*PRESETS, *SAMPLERS)
  check_value("sampler", Literal[*names], sampler)
  usual = "ddpm" if sampler in ("ddpm", "ddim") else "karras"
  name, kind, length = PRESETS.get(sampler, (sampler, usual, STEPS))
  length = length if steps is None else steps
  most = vp.STEPS if kind == "ddpm" else 2**32 - 1
  check_value("steps", Annotated[int, Field(ge=1, le=most)], length)
  weights, conditions = weights or {}, conditions or {}
  grid = (
    sigmas.ddpm(length)
    if kind == "ddpm"
    else sigmas.karras(
      length, sigma_min=options.sigma_min, sigma_max=options.sigma_max
    )
  )
  _check(conditions, weights, guidance, interval, weak)
  terms, every = _terms(known, conditions, guidance, weights, weak)
  return SamplingOptions(
    sampler=_sampler(name, eta, churn),
    grid=grid,
    terms=terms,
    weights=every,
    interval=(float(interval[0]), float(interval[1])),
    weak=weak,
  )


def _check(
  conditions: Any, weights: Any, guidance: float, interval: Any, weak: Any
) -> None:
  """Raise a UserError where arguments are of a wrong kind or contradict."""
  for name, value in (("conditions", conditions), ("weights", weights)):
    if not isinstance(value, Mapping):
      raise UserError(f"{name}={value!r}: a dict by name is needed.")
  for name, value in {"guidance": guidance, **weights}.items():
    check_value(name, WEIGHT, value)
  numbers = isinstance(interval, tuple | list) and len(interval) == 2
  if not numbers or not all(isinstance(x, Real) for x in interval):
    raise UserError(f"interval={interval!r}: (low, high) of sigma is needed.")
  if not interval[0] < interval[1]:
    raise UserError(f"interval={interval}: (low, high), low first.")
  if tuple(interval) != EVERYWHERE and guidance == 1 and not weights:
    raise UserError(
      "interval: nothing is guided; give guidance (or weights), as guidance=2."
    )
  if weights and guidance != 1:
    raise UserError("guidance and weights: give one or the other.")
  if weak is not None and (weights or guidance == 1):
    raise UserError(
      "weak: autoguidance takes one guidance weight other than 1, as in "
      "guidance=2, and no weights of conditions."
    )


def _sampler(name: str, eta: float | None, churn: float | None) -> Sampler:
  """The sampler of a name, with the options that are its own."""
  for option, value, of, allowed in (
    ("eta", eta, "ddim", ETA),
    ("churn", churn, "edm_stochastic", NonNegative),
  ):
    if value is not None:
      if name != of:
        raise UserError(f"{option}={value}: that is for {of}, not {name}.")
      check_value(option, allowed, value)
  if eta is not None:
    return samplers.ddim(eta=float(eta))
  if churn is not None:
    return samplers.edm_stochastic(s_churn=float(churn))
  return SAMPLERS[name]


def _terms(
  known: ConditionNames,
  conditions: Mapping[str, Asked],
  guidance: float,
  weights: Mapping[str, float],
  weak: Any,
) -> tuple[tuple[dict[str, Any], ...], tuple[float, ...]]:
  """The terms of the guidance; the first is of weight 1 where it is plain."""
  asked = {k: _index(known, k, v) for k, v in conditions.items()}
  for name in weights:
    if name not in asked:
      raise UserError(
        f"weights: {name} has a weight but no value; name one of "
        f"{', '.join(known.get(name, ())) or 'the conditions'}."
      )
  if not asked and guidance != 1 and weak is None:
    raise UserError(
      f"guidance={guidance}: guidance needs a condition; this run knows "
      f"{', '.join(known) or 'none: it is unconditional'}."
    )
  if weights:
    every = [_only(known, {k: v}) for k, v in asked.items()]
    return tuple(every), tuple(float(weights.get(k, 1.0)) for k in asked)
  return (_only(known, asked),), (float(guidance),)


def _only(known: ConditionNames, asked: Mapping[str, Any]) -> dict[str, Any]:
  return {name: asked.get(name, -1) for name in known}


def _index(known: ConditionNames, name: str, value: Asked) -> Any:
  if name not in known:
    raise UserError(
      f"{name}={value}: this run knows no such condition; it knows "
      f"{', '.join(known) or 'none'}."
    )
  values = known[name]
  value = value.tolist() if isinstance(value, np.ndarray) else value
  if not isinstance(value, str) and isinstance(value, Sequence):
    if not all(x is None or isinstance(x, str) for x in value):
      raise UserError(f"{name}={value}: a list of names is needed.")
    each = [-1 if x is None else _index(known, name, x) for x in value]
    return np.array(each, np.int32)
  return position(values, str(value), name)


def position(values: Sequence[str], value: str, name: str) -> int:
  """Where a value is among those of the condition that is called `name`."""
  if value not in values:
    raise UserError(f"{name}={value}: one of {', '.join(values)} is needed.")
  return values.index(value)
