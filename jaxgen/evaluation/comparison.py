"""Comparison of runs and sampling methods on the same data."""

from __future__ import annotations

import itertools
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from jaxgen import progress
from jaxgen.data import sources
from jaxgen.errors import UserError
from jaxgen.evaluation import reconstruction
from jaxgen.evaluation.candidates import Candidate, Run
from jaxgen.evaluation.reconstructions import (
  Reconstructions,
  autoencoder_of,
  painted_rows,
)
from jaxgen.evaluation.reference import OVERLAP, Measures, Reference
from jaxgen.evaluation.segmenter import Judge, Segmented, train_judge
from jaxgen.metrics.features import Features
from jaxgen.runs import companions
from jaxgen.sample.hints import told_masks
from jaxgen.sample.painter import PainterRun
from jaxgen.sample.run import LoadedRun
from jaxgen.tasks import families
from jaxgen.workdir import metrics_csv

FLOOR = "real (floor)"
MASK_IOU = "mask_iou"


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
  given_back: Reconstructions | None = None,
  judge: Judge | None = None,
) -> tuple[Measures, np.ndarray]:
  """Quality and cost of `num` images, and the images; `given_back` are
  reconstructions by the run's autoencoder, if it has one, and `judge` segments
  images that are drawn from masks."""
  with progress.loop("compiling"):
    memory = candidate.sampling_bytes(batch, reference)
  if candidate.network_calls == 1:  # otherwise the first call is negligible
    candidate.sample(num, reference, seed=seed, batch=batch)
  start = time.perf_counter()
  images = candidate.sample(num, reference, seed=seed, batch=batch)
  seconds = time.perf_counter() - start
  features = reference.network.extract(images)
  quality = reference.measure(images, features)
  if given_back is not None:
    quality |= given_back.beside(features, quality["frechet"])
  if judge is not None and told_masks(candidate.run):
    quality[MASK_IOU] = judge.mean_iou(
      Segmented(images, reference.floor_tiles["mask"])
    )
  return quality | {
    "images_per_second": num / seconds,
    "network_calls": candidate.network_calls,
    "memory_mib": memory / 2**20,
    "parameters": candidate.run.num_parameters,
    **training_cost(candidate.run),
  }, images


def training_cost(run: LoadedRun) -> Measures:
  """The images that a run has seen, and the seconds of its steps and those of
  its companions, from their logs; empty if that is missing or damaged."""
  cost = metrics_csv.training_time(metrics_csv.read(run.workdir))
  if cost is None:
    return {}
  images, seconds = cost
  seconds += companions.training_seconds(run.workdir, run.experiment)
  return {"training_images": images, "training_seconds": seconds}


def compare(
  every: Sequence[Candidate],
  num: int,
  *,
  network: Features,
  batch: int,
  seed: int = 0,
  seeds: int = 1,
  log: Callable[[str], None] = print,
) -> tuple[dict[str, Measures], dict[str, np.ndarray]]:
  """Measure all candidates against real tiles of the first one's data.

  Args:
    every: the candidates.
    num: images of each.
    network: the features.
    batch: images per batch.
    seed: of the images.
    seeds: how many sets of images of each candidate, with seeds from `seed` on,
      each of which has a row.
    log: function that prints a line.

  Returns:
    Measures and images by name; real ones (the floor) come first.
  """
  reference = Reference.of(every[0].run, network, num)
  if reference.overlap:
    log(OVERLAP)
  measures = {FLOOR: reference.measure_floor()}
  judge = _judge([x.run for x in every], reference)
  if judge is not None:
    real = reference.floor_tiles
    measures[FLOOR][MASK_IOU] = judge.mean_iou(
      Segmented(real["image"], real["mask"])
    )
  images = {FLOOR: reference.floor_tiles["image"]}
  given_back = _reconstructions([x.run for x in every], reference)
  for name, row in _decoded_rows(given_back.values(), every[0].run).items():
    measures[name], images[name] = row
  for run in {x.run.workdir: x.run for x in every}.values():
    if isinstance(run, PainterRun):
      rows = painted_rows(
        run,
        given_back[run.workdir],
        name=run.workdir.name,
        seed=seed,
        batch=batch,
      )
      for name, row in rows.items():
        measures[name], images[name] = row
  calls = sum(x.network_calls for x in every) * num * seeds
  with progress.loop("comparing", calls, unit="network calls") as advance:
    for candidate, i in itertools.product(every, range(seeds)):
      start, name = time.monotonic(), candidate.name
      name += f", seed {seed + i}" if seeds > 1 else ""
      with progress.loop(name):
        measures[name], images[name] = measure_candidate(
          candidate,
          reference,
          num,
          batch=batch,
          seed=seed + i,
          given_back=given_back.get(candidate.run.workdir),
          judge=judge,
        )
      advance(candidate.network_calls * num)
      log(f"{name}: {time.monotonic() - start:.0f} s")
  return measures, images


def _judge(runs: Sequence[Run], reference: Reference) -> Judge | None:
  """A segmenter of the first set of real tiles; None if no run is told masks,
  or the tiles have none."""
  classes = [x.experiment.hint.num_classes for x in runs if told_masks(x)]
  if not classes or "mask" not in reference.tiles:
    return None
  real = Segmented(reference.tiles["image"], reference.tiles["mask"])
  return train_judge(real, num_classes=max(classes))


def _reconstructions(
  runs: Sequence[Run], reference: Reference
) -> dict[pathlib.Path, Reconstructions]:
  """Reconstructions by the autoencoders of runs, by the workdirs of these."""
  known: dict[str, Reconstructions] = {}
  found = {}
  for run in {x.workdir: x for x in runs}.values():
    autoencoder = autoencoder_of(run)
    if autoencoder is not None:
      name = companions.digest(autoencoder.experiment, autoencoder.params)
      known[name] = known.get(name) or Reconstructions.of(
        autoencoder, reference
      )
      found[run.workdir] = known[name]
  return found


def _decoded_rows(
  every: Iterable[Reconstructions], run: Run
) -> dict[str, tuple[Measures, np.ndarray]]:
  """Measures and images of reconstructions, and of PCA that is fitted to the
  training tiles of a run."""
  rows, unique = {}, {id(x): x for x in every}.values()
  if unique:
    training = reconstruction.training_tiles(run)
    for x in unique:
      rows |= x.rows() | x.pca_rows(training)
  return rows
