"""Comparison of runs and sampling methods on the same data."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxgen import progress
from jaxgen.data import sources
from jaxgen.errors import UserError
from jaxgen.evaluation.reference import OVERLAP, Measures, Reference
from jaxgen.latents.density import Method
from jaxgen.metrics.features import Features
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.options import PRESETS, check_sampler
from jaxgen.tasks import families
from jaxgen.workdir import metrics_csv

Run = AutoencoderRun | DenoiserRun
DENSITIES: tuple[Method, ...] = ("gaussian", "gmm")
FLOOR = "real (floor)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
  """A run with a sampling method.

  Attributes:
    run: the run.
    method: a density of an autoencoder, or a sampler of a denoiser.
    name: name of the candidate.
  """

  run: Run
  method: str
  name: str

  @property
  def network_calls(self) -> int:
    """Network calls per image."""
    if isinstance(self.run, DenoiserRun):
      return self.run.network_calls(sampler=self.method)
    return 1

  def _options(self, reference: Reference) -> dict[str, Any]:
    """The options of sampling, with the conditions of real tiles if the run has
    any."""
    if isinstance(self.run, DenoiserRun):
      conditions = reference.conditions_for(self.run)
      return {"sampler": self.method, "conditions": conditions}
    return {"method": self.method}

  def sampling_bytes(self, batch: int, reference: Reference) -> int:
    """Memory of the program that samples a batch, which is compiled."""
    return self.run.sampling_bytes(batch, **self._options(reference))

  def sample(
    self, num: int, reference: Reference, *, seed: int, batch: int
  ) -> np.ndarray:
    """Sample images."""
    options = self._options(reference)
    return self.run.sample(num, seed=seed, batch=batch, **options)


def candidates(
  runs: Sequence[Run], samplers: Sequence[str] = ()
) -> list[Candidate]:
  """All candidates of a list of runs: the densities of autoencoders, and the
  presets (or given samplers) of denoisers."""
  for sampler in samplers:
    check_sampler(sampler)
  result = []
  for run, name in zip(runs, _names(runs), strict=True):
    denoiser = isinstance(run, DenoiserRun)
    methods = (samplers or tuple(PRESETS)) if denoiser else DENSITIES
    result += [
      Candidate(run=run, method=m, name=f"{name} {m}") for m in methods
    ]
  return result


def _names(runs: Sequence[Run]) -> list[str]:
  """The names of the folders, or their paths if names are not unique."""
  paths = [run.workdir.resolve() for run in runs]
  if len(set(paths)) < len(paths):
    raise UserError("--workdir: expected different runs, got duplicates.")
  short = [path.name for path in paths]
  return short if len(set(short)) == len(short) else list(map(str, paths))


def check_comparable(runs: Sequence[Run]) -> list[str]:
  """Notes on differences that make a comparison unfair.

  Raises:
    UserError: the images have different sizes.
  """
  first, notes = runs[0], []
  names = families.all_condition_values(first.experiment)
  for run in runs[1:]:
    if run.image_shape != first.image_shape:
      raise UserError(
        f"--workdir={run.workdir}: expected images of {first.image_shape} as "
        f"for {first.workdir}, got {run.image_shape}."
      )
    if any(names.get(k) != v for k, v in run.conditions.items()):
      notes.append(
        f"{run.workdir} has other conditions: it is sampled without conditions."
      )
    data = [sources.fingerprint(x.experiment) for x in (run, first)]
    if data[0] != data[1]:
      notes.append(
        f"{run.workdir} was trained on other data than {first.workdir}; "
        "distances are relative to the latter."
      )
  return notes


def measure_candidate(
  candidate: Candidate,
  reference: Reference,
  num: int,
  *,
  batch: int,
  seed: int = 0,
) -> tuple[Measures, np.ndarray]:
  """Quality and cost of `num` images, and the images."""
  with progress.loop("compiling"):
    memory = candidate.sampling_bytes(batch, reference)
  if candidate.network_calls == 1:  # otherwise the first call is negligible
    candidate.sample(num, reference, seed=seed, batch=batch)
  start = time.perf_counter()
  images = candidate.sample(num, reference, seed=seed, batch=batch)
  seconds = time.perf_counter() - start
  quality = reference.measure(images, reference.network.extract(images))
  return quality | {
    "images_per_second": num / seconds,
    "network_calls": candidate.network_calls,
    "memory_mib": memory / 2**20,
    "parameters": candidate.run.num_parameters,
    **training_cost(candidate.run.workdir),
  }, images


def training_cost(workdir: pathlib.Path) -> Measures:
  """The images that a run has seen and the seconds of its steps, from its log;
  empty if that is missing or damaged."""
  progress = metrics_csv.training_time(metrics_csv.read(workdir))
  if progress is None:
    return {}
  images, seconds = progress
  return {"training_images": images, "training_seconds": seconds}


def compare(
  every: Sequence[Candidate],
  num: int,
  *,
  network: Features,
  batch: int,
  seed: int = 0,
  log: Callable[[str], None] = print,
) -> tuple[dict[str, Measures], dict[str, np.ndarray]]:
  """Measure all candidates against real tiles of the first one's data.

  Returns:
    Measures and images by name; real ones (the floor) come first.
  """
  reference = Reference.of(every[0].run, network, num)
  if reference.overlap:
    log(OVERLAP)
  measures = {FLOOR: reference.measure_floor()}
  images = {FLOOR: reference.floor_tiles["image"]}
  calls = sum(candidate.network_calls for candidate in every) * num
  with progress.loop("comparing", calls, unit="network calls") as advance:
    for candidate in every:
      start, name = time.monotonic(), candidate.name
      with progress.loop(name):
        measures[name], images[name] = measure_candidate(
          candidate, reference, num, batch=batch, seed=seed
        )
      advance(candidate.network_calls * num)
      log(f"{name}: {time.monotonic() - start:.0f} s")
  return measures, images
