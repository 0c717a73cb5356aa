"""Sampling options, independent of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import numpy as np
from pydantic import Field

from jaxgen.config.fields import (
  LIMIT,
  ClosedUnit,
  NonNegative,
  check_value,
)
from jaxgen.diffusion import vp
from jaxgen.diffusion.guidance import EVERYWHERE
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.errors import UserError
from jaxgen.sample.run import LoadedRun

# A value, or one per image; None: unspecified.
ConditionValue = str | Sequence[str | None] | np.ndarray
Weight = Annotated[float, Field(ge=-1000, le=1000)]
ControlScale = Annotated[float, Field(ge=0, le=2)]
STEPS = 18  # default, if neither a preset nor the user sets them


class Preset(NamedTuple):
  """A sampler with its grid of noise levels."""

  sampler: str
  grid: Literal["karras", "ddpm", "few"]
  steps: int


PRESETS = {
  "heun-18": Preset("heun", "karras", 18),
  "ddpm-1000": Preset("ddpm", "ddpm", 1000),
  "ddim-50": Preset("ddim", "ddpm", 50),
  "ddim-25": Preset("ddim", "ddpm", 25),
  "consistency-1": Preset("consistency", "few", 1),
  "consistency-2": Preset("consistency", "few", 2),
  "consistency-4": Preset("consistency", "few", 4),
  "flow-map-1": Preset("flow_map", "few", 1),
  "flow-map-2": Preset("flow_map", "few", 2),
  "flow-map-4": Preset("flow_map", "few", 4),
}
DEFAULT = "heun-18"  # of denoisers
FEW_STEPS = ("consistency", "flow_map")  # samplers of few-step models


class SamplingKeywords(TypedDict, total=False):
  """The fields of `SamplingOptions` as keywords of a run's methods."""

  sampler: str | None
  steps: int | None
  conditions: Mapping[str, ConditionValue] | None
  guidance: float
  guidance_weights: Mapping[str, float] | None
  interval: tuple[float, float]
  weak: LoadedRun | None
  eta: float | None
  churn: float | None
  hint: np.ndarray | None
  hint_noise: float
  control_scale: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingOptions:
  """Sampling options, checked as far as possible without a run.

  Attributes:
    sampler: a preset (heun-18, ddpm-1000, ddim-50, ddim-25; consistency-N,
      flow-map-N of few-step models) or a sampler of
      `jaxgen.diffusion.samplers`; None: heun-18, or consistency-2 or
      flow-map-2 of few-step models.
    steps: number of steps, overriding the preset.
    conditions: values by condition, `{"rock_type": "granite"}`, or a list with
      one value per image; conditions with None or no value are unspecified.
    guidance: w in D_0 + w (D_c - D_0); 1: no guidance.
    guidance_weights: one w per condition instead, composed as
      D_0 + sum_k w_k (D_k - D_0).
    interval: (low, high) of sigma, outside of which there is no guidance.
    weak: a weaker run for the same images: an earlier checkpoint or a smaller
      model. Then w is that of D_weak + w (D - D_weak) (autoguidance).
    eta: of ddim: the fraction of DDPM's noise, 0 to 1.
    churn: of edm_stochastic: S_churn.
    hint: images `(n, h, w, c)` from which hints are made as in training, one
      per image or a single one; masks of integers `(n, h, w)` with
      hint.kind=segments, the hints themselves with hint.kind=image. A hint is
      a condition with the name `hint`, always given in a run that has
      hint.drop_prob=0.
    hint_noise: standard deviation of noise on the hints, up to the run's
      `hint.noise`; it lets a model depart from details of a doubtful hint.
    control_scale: factor, 0 to 2, of what a ControlNet adds to its base: at 0
      the hint changes nothing.

  Raises:
    UserError: values that are out of range or contradict each other.
  """

  sampler: str | None = None
  steps: int | None = None
  conditions: Mapping[str, ConditionValue] | None = None
  guidance: float = 1.0
  guidance_weights: Mapping[str, float] | None = None
  interval: tuple[float, float] = EVERYWHERE
  weak: LoadedRun | None = None
  eta: float | None = None
  churn: float | None = None
  hint: np.ndarray | None = None
  hint_noise: float = 0.0
  control_scale: float = 1.0

  def __post_init__(self):
    if self.sampler is not None:
      check_sampler(self.sampler)
    if self.steps is not None:
      most = vp.STEPS if self.preset.grid == "ddpm" else LIMIT - 1
      check_value("steps", Annotated[int, Field(ge=1, le=most)], self.steps)
    _check_dict("conditions", self.conditions)
    _check_dict("guidance_weights", self.guidance_weights)
    check_value("guidance", Weight, self.guidance)
    for name, weight in (self.guidance_weights or {}).items():
      check_value(f"guidance_weights: {name}", Weight, weight)
    _check_interval(self.interval)
    _check_guidance(self)
    check_value("hint_noise", NonNegative, self.hint_noise)
    check_value("control_scale", ControlScale, self.control_scale)
    self._check_own("eta", ClosedUnit, sampler="ddim")
    self._check_own("churn", NonNegative, sampler="edm_stochastic")

  def _check_own(self, name: str, expected: Any, *, sampler: str) -> None:
    """Check an option that is specific to a sampler."""
    value = getattr(self, name)
    if value is None:
      return
    if self.preset.sampler != sampler:
      raise UserError(
        f"{name}={value}: expected sampler={sampler}, got"
        f" {self.sampler or DEFAULT}."
      )
    check_value(name, expected, value)

  @property
  def preset(self) -> Preset:
    """The sampler with its grid and default number of steps."""
    return preset_of(self.sampler or DEFAULT)


def preset_of(sampler: str) -> Preset:
  """A preset, or a sampler with its grid and default number of steps."""
  if sampler in PRESETS:
    return PRESETS[sampler]
  if sampler in FEW_STEPS:
    return Preset(sampler, "few", 2)
  grid = "ddpm" if sampler in ("ddpm", "ddim") else "karras"
  return Preset(sampler, grid, STEPS)


def check_sampler(name: str) -> None:
  """Raise a UserError unless a name is that of a preset or sampler."""
  names = (*PRESETS, *SAMPLERS)
  check_value("sampler", Literal[*names], name)


def _check_dict(name: str, value: Mapping[str, Any] | None) -> None:
  if value is not None and not isinstance(value, Mapping):
    raise UserError(f"{name}={value!r}: expected a dict keyed by condition.")


def _check_interval(interval: tuple[float, float]) -> None:
  pair = isinstance(interval, tuple | list) and len(interval) == 2
  if not pair or not all(isinstance(x, Real) for x in interval):
    raise UserError(f"interval={interval!r}: expected (low, high) of sigma.")
  if not interval[0] < interval[1]:
    raise UserError(f"interval={interval}: expected low < high.")


def _check_guidance(options: SamplingOptions) -> None:
  """Raise a UserError if guidance options contradict each other."""
  single, weights = options.guidance != 1, bool(options.guidance_weights)
  if tuple(options.interval) != EVERYWHERE and not single and not weights:
    raise UserError(
      f"interval={tuple(options.interval)}: expected guidance other than 1 (or "
      "guidance_weights) as well, as in guidance=2."
    )
  if single and weights:
    raise UserError(
      "guidance and guidance_weights: expected one of them, got both."
    )
  weak = options.weak
  if weak is not None and not isinstance(weak, LoadedRun):
    raise UserError(f"weak={weak!r}: expected a loaded run of a denoiser.")
  if weak is not None and not single:
    raise UserError(
      f"weak={weak.workdir}: expected guidance other than 1, as in guidance=2, "
      "and no guidance_weights."
    )
