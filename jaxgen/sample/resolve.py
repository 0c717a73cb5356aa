"""From the options that a user requests to those of one run: values of
conditions by their indices, a grid of noise levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.diffusion import samplers, sigmas
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.diffusion.sampling import Sampler
from jaxgen.errors import UserError
from jaxgen.sample.options import ConditionValue, SamplingOptions
from jaxgen.sample.run import LoadedRun
from jaxgen.typing import ConditionNames

FREE = -1  # the index of a condition without a value
Indices = int | np.ndarray  # of the value of all images, or of each `(n,)`
Term = dict[str, Indices]  # the value of each condition


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResolvedOptions:
  """Options of a sampler for one run.

  Attributes:
    sampler: with its own options.
    grid: the noise levels.
    terms: the conditions of each term of the guidance.
    weights: of the terms.
    interval: of sigma, in which the weights count.
    weak: the run to be guided away from, if any.
  """

  sampler: Sampler
  grid: np.ndarray
  terms: tuple[Term, ...]
  weights: tuple[float, ...]
  interval: tuple[float, float]
  weak: LoadedRun | None = None

  @property
  def network_calls(self) -> int:
    """Calls of networks that one image takes."""
    if self.plain:
      calls = 1 if self.weak is None else 2
    else:
      calls = 1 + len(self.terms)
    return calls * self.sampler.nfe(len(self.grid) - 1)

  @property
  def plain(self) -> bool:
    """Whether the denoiser is called once, under one term."""
    return self.weights == (1.0,) or self.weak is not None


def resolve(options: SamplingOptions, run: LoadedRun) -> ResolvedOptions:
  """The options for a run.

  Raises:
    UserError: the run has no such condition or value, or `weak` does not fit.
  """
  _check_weak(options.weak, run)
  terms, weights = _guidance(options, run.conditions)
  low, high = options.interval
  return ResolvedOptions(
    sampler=_sampler(options),
    grid=_grid(options, run.experiment.diffusion),
    terms=terms,
    weights=weights,
    interval=(float(low), float(high)),
    weak=options.weak,
  )


def _check_weak(weak: LoadedRun | None, run: LoadedRun) -> None:
  if weak is None:
    return
  if weak.task.denoiser is None:
    raise UserError(f"weak={weak.workdir}: expected a run of a denoiser.")
  if weak.conditions != run.conditions:
    raise UserError(f"weak={weak.workdir}: expected a run of equal conditions.")
  if weak.image_shape[2] != run.image_shape[2]:
    raise UserError(
      f"weak={weak.workdir}: expected images of {run.image_shape[2]} channels, "
      f"got {weak.image_shape[2]}."
    )


def _grid(options: SamplingOptions, config: DiffusionConfig) -> np.ndarray:
  _, kind, usual = options.preset
  steps = usual if options.steps is None else options.steps
  if kind == "ddpm":
    return sigmas.ddpm(steps)
  return sigmas.karras(
    steps, sigma_min=config.sigma_min, sigma_max=config.sigma_max
  )


def _sampler(options: SamplingOptions) -> Sampler:
  if options.eta is not None:
    return samplers.ddim(eta=float(options.eta))
  if options.churn is not None:
    return samplers.edm_stochastic(s_churn=float(options.churn))
  return SAMPLERS[options.preset.sampler]


def _guidance(
  options: SamplingOptions, names: ConditionNames
) -> tuple[tuple[Term, ...], tuple[float, ...]]:
  """The terms of the guidance, and their weights."""
  requested = {
    name: _index(names, name, value)
    for name, value in (options.conditions or {}).items()
  }
  weights = options.guidance_weights or {}
  for name in weights:
    if name not in requested:
      raise UserError(
        f"guidance_weights: {name} has a weight but no value; expected "
        f"{name}= one of {', '.join(names.get(name, ())) or 'the conditions'}."
      )
  if not requested and options.guidance != 1 and options.weak is None:
    raise UserError(
      f"guidance={options.guidance}: expected a condition as well; this run "
      f"has {', '.join(names) or 'none: it is unconditional'}."
    )
  if weights:
    terms = [_term(names, {name: x}) for name, x in requested.items()]
    return tuple(terms), tuple(float(weights.get(k, 1.0)) for k in requested)
  return (_term(names, requested),), (float(options.guidance),)


def _term(names: ConditionNames, requested: Mapping[str, Indices]) -> Term:
  return {name: requested.get(name, FREE) for name in names}


def _index(names: ConditionNames, name: str, value: ConditionValue) -> Indices:
  if name not in names:
    raise UserError(
      f"{name}={value}: this run has no such condition; expected one of "
      f"{', '.join(names) or 'none'}."
    )
  value = value.tolist() if isinstance(value, np.ndarray) else value
  if isinstance(value, str) or not isinstance(value, Sequence):
    return value_index(names[name], str(value), name)
  if not all(x is None or isinstance(x, str) for x in value):
    raise UserError(f"{name}={value}: expected a list of names.")
  each = [
    FREE if x is None else value_index(names[name], x, name) for x in value
  ]
  return np.array(each, np.int32)


def value_index(values: Sequence[str], value: str, name: str) -> int:
  """The index of a value among those of the condition `name`."""
  if value not in values:
    raise UserError(f"{name}={value}: expected one of {', '.join(values)}.")
  return values.index(value)
