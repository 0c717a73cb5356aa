"""How good a denoiser's new images are, with what it costs said beforehand."""

from __future__ import annotations

import csv
import dataclasses
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.evaluation.reference import OVERLAP, Reference, Row, agreements
from jaxgen.formats.atomic import write_json
from jaxgen.images import as_uint8
from jaxgen.metrics.condition_accuracy import ConditionAccuracy
from jaxgen.metrics.features import Features
from jaxgen.metrics.memorization import Nearest, nearest
from jaxgen.sample.denoiser import Denoiser
from jaxgen.sample.run import BATCH

LEAST = 16  # images without which no distance means anything
TRAINING = 8192  # tiles at most among which copies are looked for


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
  """What an evaluation found.

  Attributes:
    rows: for `samples` and `real (floor)` the measures of `Reference.measure`.
    agreement: for each condition.
    near: each image's nearest training tile.
    training: those tiles, `(n, h, w, c)`.
    images: the samples, `(n, h, w, c)`.
    asked: for each condition the index of the value asked of each image.
    facts: step, images, calls, seconds, features.
  """

  rows: dict[str, Row]
  agreement: dict[str, ConditionAccuracy]
  near: Nearest
  training: np.ndarray
  images: np.ndarray
  asked: dict[str, np.ndarray]
  facts: dict[str, Any]


def afford(
  run: Denoiser, num: int, budget: int, **asked: Any
) -> tuple[int, int]:
  """How many images of `num` a budget of network calls allows, and the calls
  that each takes.

  Raises:
    UserError: fewer than `LEAST`.
  """
  any_ = {k: v[0] for k, v in run.conditions.items()}
  calls = run.request(conditions=any_, **asked).calls
  possible = min(num, budget // calls)
  if possible < LEAST:
    raise UserError(
      f"{possible} images, by --num={num} and --budget={budget}, are too few "
      f"to judge: at least {LEAST} are needed, of {calls} calls each "
      f"(--budget={LEAST * calls})."
    )
  return possible, calls


def evaluate(
  run: Denoiser,
  num: int,
  *,
  seed: int = 0,
  network: Features,
  batch: int = BATCH,
  say: Callable[[str], None] = print,
  **asked: Any,
) -> Evaluation:
  """Draw images and hold them against real ones.

  A conditional run is asked for the conditions of as many real tiles, so that
  both sets show the same mixture.

  Args:
    run: of a denoiser.
    num: images; real ones are twice as many.
    seed: of the images.
    network: whose features are compared, see `jaxgen.metrics.features`.
    batch: images a call of the compiled programs.
    say: is told what is done.
    **asked: sampler, steps, guidance: see `request.resolve`.
  """
  reference = Reference.of(run, network, num)
  conditions = {k: reference.others[k] for k in run.conditions}
  wanted = reference.asked(run)
  start = time.monotonic()
  images = run.sample(num, seed=seed, batch=batch, conditions=wanted, **asked)
  seconds = time.monotonic() - start
  say(f"drawn in {seconds:.0f} s; measuring")
  if reference.overlap:
    say(OVERLAP)
  features = network.extract(images)
  training = as_uint8(run.images("train", TRAINING))
  return Evaluation(
    rows={
      "samples": reference.measure(images, features),
      "real (floor)": reference.measure_floor(),
    },
    agreement=agreements(reference, run, conditions, features),
    near=_copies(run, training, images),
    training=training,
    images=images,
    asked=conditions,
    facts={
      "step": run.step,
      "images": num,
      "sampling_seconds": seconds,
      "features": network.name,
      "frechet": network.frechet,
    },
  )


def _copies(run: Denoiser, training: np.ndarray, new: np.ndarray) -> Nearest:
  data = run.experiment.data
  ways = {k: getattr(data, k) for k in ("hflip", "flips", "rot90")}
  return nearest(training, run.images("validation", 1024), new, **ways)


def write(folder: pathlib.Path, found: Evaluation, names: Any) -> None:
  """Write `metrics.json` and `per_image.csv`; `names` of the conditions'
  values."""
  summary = found.facts | {
    "copies": int(found.near.copied.sum()),
    "metrics": found.rows,
    "agreement": {
      k: {"held_out": a.held_out, "samples": a.new, "chance": a.chance}
      for k, a in found.agreement.items()
    },
  }
  write_json(folder / "metrics.json", summary)
  columns = [f"{k} {x}" for k in found.agreement for x in ("asked", "seen")]
  with (folder / "per_image.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["image", "nearest", "ratio", "copied", *columns])
    for i, (index, ratio, copied) in enumerate(zip(*found.near, strict=True)):
      row = [i, index, f"{ratio:.6g}", int(copied)]
      for k, seen in found.agreement.items():
        pair = found.asked[k][i], seen.seen[i]
        row += [names[k][x] if x >= 0 else "" for x in pair]
      writer.writerow(row)


def pairs(found: Evaluation, num: int = 16) -> np.ndarray:
  """The images nearest to training tiles, and those tiles: `(2, num, ...)`."""
  order = np.argsort(found.near.ratio)[:num]
  return np.stack(
    [found.images[order], found.training[found.near.index[order]]]
  )
