"""Samplers of few-step models, and of no other run."""

from __future__ import annotations

from jaxgen.errors import UserError
from jaxgen.restoration.posterior import CORRECTIONS
from jaxgen.sample.options import (
  DEFAULT,
  FEW_STEPS,
  SamplingOptions,
  preset_of,
)
from jaxgen.sample.run import LoadedRun

DEFAULTS = {
  "": DEFAULT,
  "ect": "consistency-2",
  "mean_flow": "flow-map-2",
}


def default_sampler(run: LoadedRun) -> str:
  """The sampler of a run, if none is requested."""
  return DEFAULTS[run.experiment.few_steps]


def admits(run: LoadedRun, sampler: str) -> bool:
  """Whether a sampler or preset makes sense for a run.

  A consistency function ends at an image, and is no posterior mean, which other
  samplers need; a denoiser is no consistency function. A flow map is both, at
  different levels of a step's end.
  """
  name, method = preset_of(sampler).sampler, run.experiment.few_steps
  if method == "ect":
    return name == "consistency"
  return method == "mean_flow" or name not in FEW_STEPS


def check(options: SamplingOptions, run: LoadedRun, *, plain: bool) -> None:
  """Raise a UserError if a sampler does not make sense for a run, or guides a
  few-step model; `plain`: there is no guidance."""
  sampler = options.sampler or default_sampler(run)
  method = run.experiment.few_steps
  if not admits(run, sampler) and method:
    raise UserError(
      f"sampler={sampler}: {run.workdir} is a consistency function"
      f" (consistency.method={method}); expected consistency-1, consistency-2,"
      " or consistency with steps."
    )
  if not admits(run, sampler):
    raise UserError(
      f"sampler={sampler}: expected a few-step model (task=consistency), got"
      f" {run.workdir}; tune one with train.init_from={run.workdir}."
    )
  if options.preset.sampler in FEW_STEPS and not plain:
    raise UserError(
      f"guidance={options.guidance}: expected 1 with sampler={sampler}: a"
      " few-step model cannot be guided, since its answers are no posterior"
      " means."
    )


def corrections_of(
  run: LoadedRun, sampler: str | None, given: int | None
) -> int:
  """The corrections towards known pixels per call: none with samplers of few
  steps, which put known pixels in place of the model's.

  Raises:
    UserError: some are requested from such a sampler.
  """
  name = preset_of(sampler or default_sampler(run)).sampler
  if name not in FEW_STEPS:
    return CORRECTIONS if given is None else given
  if given:
    raise UserError(
      f"corrections={given}: expected 0 with a few-step model, whose answers"
      " are no posterior means."
    )
  return 0


def check_prior(run: LoadedRun, purpose: str) -> None:
  """Raise a UserError if the denoiser of a run is a few-step model."""
  if run.experiment.few_steps:
    raise UserError(
      f"{purpose}: expected a run of a denoiser (task=diffusion), got"
      f" {run.workdir}, a few-step model; use the run that it was tuned from."
    )
