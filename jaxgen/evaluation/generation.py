"""Evaluation of a denoiser on generated images, within a budget."""

from __future__ import annotations

import csv
import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Unpack

import numpy as np

from jaxgen import progress
from jaxgen.errors import UserError
from jaxgen.evaluation.reference import (
  OVERLAP,
  Measures,
  Reference,
  condition_accuracies,
)
from jaxgen.evaluation.segmenter import (
  MaskAgreement,
  Segmented,
  mask_agreement,
  train_judge,
)
from jaxgen.formats.atomic import write_json
from jaxgen.formats.csv_cells import ENCODING, cell
from jaxgen.images import as_uint8
from jaxgen.metrics import memorization
from jaxgen.metrics.condition_accuracy import ConditionAccuracy
from jaxgen.metrics.features import Features
from jaxgen.metrics.memorization import Nearest
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.hints import told_masks
from jaxgen.sample.options import SamplingKeywords
from jaxgen.sample.run import BATCH
from jaxgen.typing import ConditionNames

MIN_IMAGES = 16  # minimum for meaningful distances
MAX_TRAINING_TILES = 8192  # searched for memorized images
HELD_OUT = 1024  # held-out tiles for comparison in that search


class Budget(NamedTuple):
  """The number of images that a budget allows, and network calls per image."""

  images: int
  calls: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
  """The result of an evaluation.

  Attributes:
    measures: measures of `samples` and of `real (floor)`, see
      `Reference.measure`.
    condition_accuracy: accuracy by condition.
    mask_agreement: of a run that is told masks, the agreement with them.
    nearest: nearest training tile of each image.
    training: the searched training tiles, `(n, h, w, c)`.
    images: the samples, `(n, h, w, c)`.
    requested: by condition, the requested value index of each image.
    facts: step, images, seconds, features.
  """

  measures: dict[str, Measures]
  condition_accuracy: dict[str, ConditionAccuracy]
  mask_agreement: MaskAgreement | None
  nearest: Nearest
  training: np.ndarray
  images: np.ndarray
  requested: dict[str, np.ndarray]
  facts: dict[str, Any]


def affordable(
  run: DenoiserRun,
  num: int,
  budget: int,
  **options: Unpack[SamplingKeywords],
) -> Budget:
  """The number of images, at most `num`, within a budget of network calls.

  Raises:
    UserError: the budget allows fewer than `MIN_IMAGES`.
  """
  conditions = {name: values[0] for name, values in run.conditions.items()}
  keywords = options | {"conditions": conditions}
  if told_masks(run):
    side = run.resolution
    keywords |= {"hint": np.zeros((1, side, side), np.int32)}
  calls = run.network_calls(**keywords)
  images = min(num, budget // calls)
  if images < MIN_IMAGES:
    raise UserError(
      f"--num={num}, --budget={budget}: expected at least {MIN_IMAGES} images, "
      f"got {images}; {MIN_IMAGES} images of {calls} network calls need "
      f"--budget={MIN_IMAGES * calls}."
    )
  return Budget(images, calls)


def evaluate(
  run: DenoiserRun,
  num: int,
  *,
  network: Features,
  seed: int = 0,
  batch: int = BATCH,
  log: Callable[[str], None] = print,
  **options: Unpack[SamplingKeywords],
) -> Evaluation:
  """Generate images and compare them with real ones.

  Images of a conditional run use the conditions of real tiles, so that both
  sets have the same mixture of conditions, and those of a run that is told
  masks use their masks.

  Args:
    run: a run of a denoiser.
    num: number of generated images; twice as many real ones are used.
    network: feature extractor, see `jaxgen.metrics.features`.
    seed: seed of the images.
    batch: images per batch.
    log: function that prints progress lines.
    **options: fields of `SamplingOptions`; conditions are replaced.
  """
  reference = Reference.of(run, network, num)
  keywords = options | {"conditions": reference.conditions_for(run)}
  if told_masks(run):
    keywords |= {"hint": reference.floor_tiles["mask"]}
  start = time.monotonic()
  images = run.sample(num, seed=seed, batch=batch, **keywords)
  seconds = time.monotonic() - start
  log(f"generated in {seconds:.0f} s; measuring")
  if reference.overlap:
    log(OVERLAP)
  features = network.extract(images)
  requested = {k: reference.floor_tiles[k] for k in run.conditions}
  training = as_uint8(run.images("train", MAX_TRAINING_TILES))
  return Evaluation(
    measures={
      "samples": reference.measure(images, features),
      "real (floor)": reference.measure_floor(),
    },
    condition_accuracy=condition_accuracies(
      reference, run, requested=requested, features=features
    ),
    mask_agreement=_mask_agreement(run, reference, images),
    nearest=_nearest(run, training, images),
    training=training,
    images=images,
    requested=requested,
    facts={
      "step": run.step,
      "images": num,
      "sampling_seconds": seconds,
      "features": network.name,
      "frechet": network.frechet,
    },
  )


def _mask_agreement(
  run: DenoiserRun, reference: Reference, images: np.ndarray
) -> MaskAgreement | None:
  """The agreement of images with the masks of the second set of real tiles."""
  if not told_masks(run):
    return None
  real, held_out = reference.tiles, run.tiles("validation", HELD_OUT)
  judge = train_judge(
    Segmented(real["image"], real["mask"]),
    num_classes=run.experiment.hint.num_classes,
  )
  return mask_agreement(
    judge,
    Segmented(as_uint8(held_out["image"]), held_out["mask"]),
    Segmented(images, reference.floor_tiles["mask"]),
  )


def _nearest(
  run: DenoiserRun, training: np.ndarray, images: np.ndarray
) -> Nearest:
  data, held_out = run.experiment.data, run.images("validation", HELD_OUT)
  with progress.loop("searching for memorized tiles"):
    return memorization.nearest(
      training,
      held_out,
      images,
      hflip=data.hflip,
      flips=data.flips,
      rot90=data.rot90,
    )


def write_generation(
  folder: pathlib.Path, evaluation: Evaluation, names: ConditionNames
) -> None:
  """Write `metrics.json` and `per_image.csv`; `names` are the value names of
  conditions."""
  summary = evaluation.facts | {
    "memorized": int(evaluation.nearest.memorized.sum()),
    "metrics": evaluation.measures,
    "condition_accuracy": {
      k: {"held_out": a.held_out, "samples": a.new, "chance": a.chance}
      for k, a in evaluation.condition_accuracy.items()
    },
  }
  if evaluation.mask_agreement is not None:
    summary["mask_agreement"] = evaluation.mask_agreement._asdict()
  write_json(folder / "metrics.json", summary)
  conditions = evaluation.condition_accuracy
  columns = [f"{k} {x}" for k in conditions for x in ("requested", "seen")]
  with (folder / "per_image.csv").open("w", newline="", **ENCODING) as file:
    writer = csv.writer(file)
    writer.writerow(["image", "nearest", "ratio", "memorized", *columns])
    for i, near in enumerate(zip(*evaluation.nearest, strict=True)):
      index, ratio, memorized = near
      values = map(cell, _values(evaluation, names, i))
      writer.writerow([i, index, f"{ratio:.6g}", int(memorized), *values])


def _values(
  evaluation: Evaluation, names: ConditionNames, image: int
) -> list[str]:
  """The requested and predicted value of an image for each condition; empty if
  unspecified."""
  values = []
  for name, accuracy in evaluation.condition_accuracy.items():
    pair = evaluation.requested[name][image], accuracy.seen[image]
    values += [names[name][x] if x >= 0 else "" for x in pair]
  return values


def nearest_pairs(
  evaluation: Evaluation, num: int = 16
) -> dict[str, np.ndarray]:
  """The images closest to training tiles, and those tiles, `(num, ...)` each,
  by their labels in a picture."""
  order = np.argsort(evaluation.nearest.ratio)[:num]
  tiles = evaluation.training[evaluation.nearest.index[order]]
  return {
    "generated images, the closest to training tiles": evaluation.images[order],
    "these training tiles": tiles,
  }
