"""Resolution of sampling options for a run: value names to indices, a grid of
noise levels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.diffusion import samplers, sigmas
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.diffusion.sampling import Sampler
from jaxgen.errors import UserError
from jaxgen.models.conditioning import HINT
from jaxgen.runs import numbers
from jaxgen.sample import few_steps, hints
from jaxgen.sample.condition_values import Indices, value_indices
from jaxgen.sample.conditions import FREE, GIVEN
from jaxgen.sample.options import SamplingOptions
from jaxgen.sample.run import LoadedRun
from jaxgen.typing import ConditionNames

Term = dict[str, Indices]  # the value of each condition


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResolvedOptions:
  """Sampling options, resolved for a run.

  Attributes:
    sampler: the sampler with its options.
    grid: noise levels.
    terms: conditions of each guidance term.
    weights: weights of the terms.
    interval: interval of sigma in which the weights apply.
    weak: the weak run for autoguidance, if any.
    hint: hints `(n, h, w, c)`, one per image or a single one.
    hint_noise: standard deviation of noise on them.
    control_scale: factor of what a ControlNet adds; None: the run has none.
  """

  sampler: Sampler
  grid: np.ndarray
  terms: tuple[Term, ...]
  weights: tuple[float, ...]
  interval: tuple[float, float]
  weak: LoadedRun | None = None
  hint: np.ndarray | None = None
  hint_noise: float = 0.0
  control_scale: float | None = None

  def hints_of(self, shape: tuple[int, ...]) -> np.ndarray | None:
    """The hint of each image of a shape `(n, h, w, c)`."""
    return None if self.hint is None else hints.of_each(self.hint, shape)

  @property
  def network_calls(self) -> int:
    """Network calls per image."""
    if self.plain:
      calls = 1 if self.weak is None else 2
    else:
      calls = 1 + len(self.terms)
    return calls * self.sampler.nfe(len(self.grid) - 1)

  @property
  def plain(self) -> bool:
    """Whether the denoiser is called once, with a single term."""
    return self.weights == (1.0,) or self.weak is not None


def resolve(
  options: SamplingOptions, run: LoadedRun, *, hint: np.ndarray | None = None
) -> ResolvedOptions:
  """Resolve options for a run.

  Args:
    options: the options.
    run: a run of a denoiser.
    hint: hints that are made already, instead of `options.hint`.

  Raises:
    UserError: the run has no such condition or value, lacks a hint, or `weak`
      does not fit.
  """
  if options.sampler is None:
    sampler = few_steps.default_sampler(run)
    options = dataclasses.replace(options, sampler=sampler)
  _check_weak(options.weak, run)
  if options.hint is not None:
    hint = hints.make_hints(run, options.hint)
  hints.check(options, run, hint)
  composed = hint is not None and not hints.needs_hint(run)
  terms, weights = _guidance(options, run.conditions, composed=composed)
  low, high = options.interval
  resolved = ResolvedOptions(
    sampler=_sampler(options),
    grid=_grid(options, run.experiment),
    terms=terms,
    weights=weights,
    interval=(float(low), float(high)),
    weak=options.weak,
    hint=hint,
    hint_noise=options.hint_noise,
    control_scale=options.control_scale if hints.is_control(run) else None,
  )
  plain = resolved.plain and options.weak is None
  few_steps.check(options, run, plain=plain)
  return resolved


def _check_weak(weak: LoadedRun | None, run: LoadedRun) -> None:
  if weak is None:
    return
  if weak.task.denoiser is None:
    raise UserError(f"weak={weak.workdir}: expected a run of a denoiser.")
  few_steps.check_prior(weak, f"weak={weak.workdir}")
  if weak.conditions != run.conditions:
    raise UserError(
      f"weak={weak.workdir}: expected a run with the same conditions."
    )
  kinds = [
    (x.experiment.hint.kind, x.experiment.diffusion.target) for x in (weak, run)
  ]
  if kinds[0] != kinds[1]:
    raise UserError(f"weak={weak.workdir}: expected a run with the same hints.")
  if weak.image_shape[2] != run.image_shape[2]:
    raise UserError(
      f"weak={weak.workdir}: expected {run.image_shape[2]} channels, "
      f"got {weak.image_shape[2]}."
    )
  if numbers.digests(weak.companions) != numbers.digests(run.companions):
    raise UserError(
      f"weak={weak.workdir}: expected a run in the latents of {run.workdir}."
    )


def _grid(options: SamplingOptions, experiment: Experiment) -> np.ndarray:
  config = experiment.diffusion
  _, kind, default_steps = options.preset
  steps = default_steps if options.steps is None else options.steps
  if kind == "ddpm":
    return sigmas.ddpm(steps)
  if kind == "few":
    return sigmas.log_uniform(
      steps,
      sigma_min=experiment.consistency.second_sigma,
      sigma_max=config.sigma_max,
    )
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
  options: SamplingOptions, names: ConditionNames, *, composed: bool
) -> tuple[tuple[Term, ...], tuple[float, ...]]:
  """The guidance terms and their weights; `composed`: a hint is a condition
  among the others, and not part of all terms."""
  requested = {
    name: value_indices(names, name, value)
    for name, value in (options.conditions or {}).items()
  }
  if composed:
    requested[HINT] = GIVEN
    names = {**names, HINT: (HINT,)}
  weights = options.guidance_weights or {}
  for name in weights:
    if name not in requested:
      raise UserError(
        f"guidance_weights: {name} has a weight but no value; expected {name}="
        f"one of {', '.join(names.get(name, ())) or 'the conditions'}."
      )
  if not requested and options.guidance != 1 and options.weak is None:
    raise UserError(
      f"guidance={options.guidance}: expected the value of a condition, one of "
      f"{', '.join(names) or 'none (the run is unconditional)'}, got none."
    )
  if weights:
    terms = [_term(names, {name: x}) for name, x in requested.items()]
    return tuple(terms), tuple(float(weights.get(k, 1.0)) for k in requested)
  return (_term(names, requested),), (float(options.guidance),)


def _term(names: ConditionNames, requested: Mapping[str, Indices]) -> Term:
  return {name: requested.get(name, FREE) for name in names}
