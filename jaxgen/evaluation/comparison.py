"""Ways of making images, measured on the same data: how good, at what cost."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np

from jaxgen.config.fields import check_value
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.errors import UserError
from jaxgen.evaluation.reference import OVERLAP, Reference, Row
from jaxgen.metrics.features import Features
from jaxgen.sample.options import PRESETS
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks import families
from jaxgen.train.stage import fingerprint
from jaxgen.workdir import metrics_csv

LATENT_METHODS = ("gaussian", "gmm")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Candidate:
  """A run and one way of drawing from it."""

  run: Any
  method: str
  name: str

  @property
  def options(self) -> dict[str, Any]:
    """Keywords of the run's `sample`."""
    key = "sampler" if self.run.task.denoiser else "method"
    return {key: self.method}

  @property
  def calls(self) -> int:
    """Network calls that one image takes."""
    if self.run.task.denoiser:
      return self.run.request(**self.options).calls
    return 1


def candidates(
  runs: Sequence[LoadedRun], samplers: Sequence[str] = ()
) -> list[Candidate]:
  """All ways of a list of runs: an autoencoder's priors, a denoiser's presets
  (or those named)."""
  for sampler in samplers:
    check_value("sampler", Literal[*PRESETS, *SAMPLERS], sampler)
  found = []
  for run, name in zip(runs, _names(runs), strict=True):
    methods = (samplers or PRESETS) if run.task.denoiser else LATENT_METHODS
    found += [Candidate(run=run, method=m, name=f"{name} {m}") for m in methods]
  return found


def _names(runs: Sequence[LoadedRun]) -> list[str]:
  """Folders' names, or their whole paths where two have the same name."""
  paths = [run.workdir.resolve() for run in runs]
  if len(set(paths)) < len(paths):
    raise UserError("--workdirs: a run is named twice.")
  short = [path.name for path in paths]
  return short if len(set(short)) == len(short) else list(map(str, paths))


def check(runs: Sequence[LoadedRun]) -> list[str]:
  """Notes on what makes a comparison unfair.

  Raises:
    UserError: images of different sizes cannot be compared at all.
  """
  first, notes = runs[0], []
  for run in runs[1:]:
    if run.image_shape != first.image_shape:
      raise UserError(
        f"{run.workdir} makes images of {run.image_shape}, {first.workdir} of "
        f"{first.image_shape}: name runs of one size."
      )
    names, known = (
      getattr(run, "conditions", {}),
      families.all_condition_values(first.experiment),
    )
    if any(known.get(k) != v for k, v in names.items()):
      notes.append(f"{run.workdir} knows other conditions: it is drawn freely.")
    if fingerprint(run.experiment) != fingerprint(first.experiment):
      notes.append(
        f"{run.workdir} was trained on other data than {first.workdir}; "
        "distances are to the latter's."
      )
  return notes


def measure(
  way: Candidate, reference: Reference, num: int, *, batch: int, seed: int = 0
) -> tuple[Row, np.ndarray]:
  """Draw `num` images, under the conditions of real tiles where the run knows
  any, and measure them and what they cost."""
  options: dict[str, Any] = dict(way.options)
  if way.run.task.denoiser:
    options["conditions"] = reference.asked(way.run)
  memory = way.run.sampling_bytes(batch, **way.options)  # compiles it, too
  if way.calls == 1:  # else the first call's start-up does not matter
    way.run.sample(num, seed=seed, batch=batch, **options)
  start = time.perf_counter()
  images = way.run.sample(num, seed=seed, batch=batch, **options)
  seconds = time.perf_counter() - start
  quality = reference.measure(images, reference.network.extract(images))
  return quality | {
    "images_per_second": num / seconds,
    "network_calls": way.calls,
    "memory_mib": memory / 2**20,
    "parameters": sum(x.size for x in jax.tree.leaves(way.run.params)),
    **training(way.run.workdir),
  }, images


def training(workdir: pathlib.Path) -> Row:
  """The images that a run has seen and the seconds of its steps, from its log;
  empty where that is missing or damaged."""
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
  say: Any = print,
) -> tuple[dict[str, Row], dict[str, np.ndarray]]:
  """Measure all ways against real tiles of the first one's data.

  Returns:
    Rows of measures, and images, by name; real ones (the floor) come first.
  """
  reference = Reference.of(every[0].run, network, num)
  if reference.overlap:
    say(OVERLAP)
  rows = {"real (floor)": reference.measure_floor()}
  images = {"real (floor)": reference.others["image"]}
  for way in every:
    start = time.monotonic()
    row, drawn = measure(way, reference, num, batch=batch, seed=seed)
    rows[way.name], images[way.name] = row, drawn
    say(f"{way.name}: {time.monotonic() - start:.0f} s")
  return rows, images
