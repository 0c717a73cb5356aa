"""What a comparison compares: runs with sampling methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.evaluation.reference import Reference
from jaxgen.latents.density import Method
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.few_steps import admits, default_sampler
from jaxgen.sample.hints import told_masks
from jaxgen.sample.options import (
  FEW_STEPS,
  PRESETS,
  check_sampler,
  preset_of,
)
from jaxgen.sample.painter import PainterRun
from jaxgen.tasks.latent_space import CODEC

Run = AutoencoderRun | DenoiserRun
DENSITIES: tuple[Method, ...] = ("gaussian", "gmm")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
  """A run with a sampling method.

  Attributes:
    run: the run.
    method: a density of an autoencoder, or a sampler of a denoiser.
    name: name of the candidate.
    prior: latent diffusion that draws the latents of a hybrid, instead of the
      mixture of its autoencoder.
  """

  run: Run
  method: str
  name: str
  prior: DenoiserRun | None = None

  @property
  def network_calls(self) -> int:
    """Network calls per image, with those that draw its latent."""
    if not isinstance(self.run, DenoiserRun):
      return 1
    before = self.prior.network_calls() if self.prior else 0
    return before + self.run.network_calls(sampler=self.method)

  def _options(self, reference: Reference) -> dict[str, Any]:
    """The options of sampling, with the conditions and the masks of real tiles
    if the run has any."""
    if isinstance(self.run, DenoiserRun):
      conditions = reference.conditions_for(self.run)
      options = {"sampler": self.method, "conditions": conditions}
      if told_masks(self.run) and "mask" in reference.floor_tiles:
        options["hint"] = reference.floor_tiles["mask"]
      return options
    return {"method": self.method}

  def sampling_bytes(self, batch: int, reference: Reference) -> int:
    """Memory of the program that samples a batch, which is compiled."""
    options = self._options(reference)
    if each := options.get("conditions"):  # one for all needs as much
      first = {name: values[0] for name, values in each.items()}
      known = {k: v for k, v in first.items() if v is not None}
      options["conditions"] = known
    if "hint" in options:
      options["hint"] = options["hint"][:1]
    return self.run.sampling_bytes(batch, **options)

  def sample(
    self, num: int, reference: Reference, *, seed: int, batch: int
  ) -> np.ndarray:
    """Sample images."""
    options = self._options(reference)
    if self.prior is not None:
      options |= {"method": "diffusion", "prior": self.prior}
    return self.run.sample(num, seed=seed, batch=batch, **options)


def candidates(
  runs: Sequence[Run], samplers: Sequence[str] = ()
) -> list[Candidate]:
  """All candidates of a list of runs: the densities of autoencoders, and the
  presets (or given samplers) of denoisers; those that lean on an autoencoder
  have one, and hybrids also with latents of each run of latent diffusion by the
  same autoencoder."""
  for sampler in samplers:
    check_sampler(sampler)
  _check_used(runs, samplers)
  result = []
  for run, name in zip(runs, _names(runs), strict=True):
    result += [
      Candidate(run=run, method=x, name=f"{name} {x}")
      for x in _methods(run, samplers)
    ]
    result += [
      Candidate(
        run=run,
        method=default_sampler(run),
        name=f"{name} {default_sampler(run)} from {prior.workdir.name}",
        prior=prior,
      )
      for prior in _priors(run, runs)
    ]
  return result


def _priors(run: Run, runs: Sequence[Run]) -> list[DenoiserRun]:
  """Latent diffusion in the latents of a hybrid's autoencoder."""
  if not isinstance(run, PainterRun):
    return []
  digest = run.companions.runs["hint"].digest
  return [
    x
    for x in runs
    if isinstance(x, DenoiserRun)
    and CODEC in x.companions.runs
    and x.companions.runs[CODEC].digest == digest
  ]


def _methods(run: Run, samplers: Sequence[str]) -> Sequence[str]:
  if isinstance(run, AutoencoderRun):
    return DENSITIES
  if samplers:
    return [x for x in samplers if admits(run, x)]
  own = run.experiment.few_steps
  if run.companions.runs and not own:
    return (default_sampler(run),)
  few = [x for x in PRESETS if PRESETS[x].sampler in FEW_STEPS]
  if own:
    kind = preset_of(default_sampler(run)).sampler
    return [x for x in few if PRESETS[x].sampler == kind]
  return [x for x in PRESETS if x not in few]


def _check_used(runs: Sequence[Run], samplers: Sequence[str]) -> None:
  """Raise a UserError if no denoiser takes any of the samplers."""
  denoisers = [x for x in runs if isinstance(x, DenoiserRun)]
  for run in denoisers:
    if samplers and not any(admits(run, x) for x in samplers):
      raise UserError(
        f"--samplers={','.join(samplers)}: expected at least one for"
        f" {run.workdir}, such as {default_sampler(run)}."
      )


def _names(runs: Sequence[Run]) -> list[str]:
  """The names of the folders, or their paths if names are not unique."""
  paths = [run.workdir.resolve() for run in runs]
  if len(set(paths)) < len(paths):
    raise UserError("--workdir: expected different runs, got duplicates.")
  short = [path.name for path in paths]
  return short if len(set(short)) == len(short) else list(map(str, paths))
