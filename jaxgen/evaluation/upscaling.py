"""Scores of enlarged images: those of an upscaler beside interpolation.

Images are reduced as in training, enlarged in every way, rounded to their type
as a file would be, and compared with themselves without a border as wide as the
factor. Back-projection and the consistent result need the operator that reduced
the images, and so are left out unless that was bicubic.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Num

from jaxgen import bicubic, progress
from jaxgen.config.agreement import LEAST_SIDE
from jaxgen.data import degraded
from jaxgen.data.degraded import LOW
from jaxgen.data.resize import resize_to
from jaxgen.errors import UserError
from jaxgen.evaluation import held_out, image_bootstrap
from jaxgen.evaluation.image_bootstrap import Interval
from jaxgen.evaluation.reconstruction import Scores, perceptual
from jaxgen.images import normalize
from jaxgen.metrics.upscaling import cropped, enlarged_similarity
from jaxgen.sample.upscaler import UpscalerRun
from jaxgen.sample.upscaling import as_type

BICUBIC, LANCZOS, BACK_PROJECTION = "bicubic", "Lanczos", "back-projection"
MODEL, CONSISTENT = "model", "model, consistent"
ITERATIONS = 10  # of back-projection
METRICS = ("psnr", "psnr_y", "ssim", "lpips")  # with intervals


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
  """An image, and the small one that is enlarged.

  Attributes:
    name: name of the image.
    group: number of the photograph that it is of.
    image: `(h, w, c)` of any stored type.
    low: the small image, of the same type.
  """

  name: str
  group: int
  image: Num[np.ndarray, "h w c"]
  low: Num[np.ndarray, "low_h low_w c"]


def held_out_pairs(run: UpscalerRun, num: int) -> list[Pair]:
  """At most `num` held-out tiles of a run, evenly spaced."""
  source = run.source("validation")
  total = len(source)
  chosen = np.unique(np.linspace(0, total - 1, min(num, total)).round())
  indices = chosen.astype(int)
  groups = held_out.photographs(source, indices)
  tiles = [source.read(int(i)) for i in indices]
  return [
    Pair(name=f"validation_{i:05}", group=int(k), image=x["image"], low=x[LOW])
    for i, (k, x) in enumerate(zip(groups, tiles, strict=True))
  ]


def reduced(
  run: UpscalerRun, image: np.ndarray, *, name: str, key: int
) -> Pair:
  """The largest part of an image `(h, w, c)`, from the top left, whose sides
  are multiples of a run's factor, reduced as its training images by a key.

  Raises:
    UserError: the part is too small for its SSIM.
  """
  factor, options = run.factor, run.experiment.data
  height, width = (side - side % factor for side in image.shape[:2])
  least = LEAST_SIDE * factor
  if min(height, width) < least:
    raise UserError(
      f"{name}: expected at least {least} x {least} pixels, got"
      f" {image.shape[1]} x {image.shape[0]}."
    )
  part = np.ascontiguousarray(image[:height, :width])
  low = degraded.degradation(options)(part, key)
  return Pair(name=name, group=key, image=part, low=low)


def enlargements(run: UpscalerRun, low: np.ndarray) -> dict[str, np.ndarray]:
  """A small image enlarged in every way, in its type."""
  height, width = (run.factor * side for side in low.shape[:2])
  x = np.asarray(normalize(low))
  smooth, model = bicubic.resize(x, height, width), run.upscale_float(low)
  images = {BICUBIC: smooth, LANCZOS: resize_to(low, height, width)}
  if run.experiment.data.degradation == "bicubic":
    images[BACK_PROJECTION] = bicubic.back_project(smooth, x, steps=ITERATIONS)
    images[CONSISTENT] = bicubic.project(model, x)
  images[MODEL] = model
  order = (BICUBIC, LANCZOS, BACK_PROJECTION, MODEL, CONSISTENT)
  return {
    k: images[k] if k == LANCZOS else as_type(images[k], low.dtype)
    for k in order
    if k in images
  }


def evaluate(
  run: UpscalerRun, pairs: Sequence[Pair]
) -> tuple[dict[str, Scores], dict[str, Any]]:
  """The scores of each way to enlarge, and facts.

  Returns:
    For each way PSNR (of RGB, `psnr`, and of luma, `psnr_y`), SSIM, squared and
    absolute error, and LPIPS if its weights are installed, each `(n,)`; and the
    step, the number of images, and for `METRICS` and the gain of PSNR on
    bicubic interpolation `[mean, low, high]`, intervals of 95% by photograph.
  """
  score = _scorer(run)
  parts: dict[str, list[Scores]] = {}
  for pair in progress.each("measuring", pairs):
    for way, image in enlargements(run, pair.low).items():
      parts.setdefault(way, []).append(score(image, pair.image))
  scores = {
    way: {k: np.concatenate([x[k] for x in each]) for k in each[0]}
    for way, each in parts.items()
  }
  groups = np.asarray([x.group for x in pairs])
  return scores, {
    "step": run.step,
    "images": len(pairs),
    "photographs": len(np.unique(groups)),
    "factor": run.factor,
    "degradation": run.experiment.data.degradation,
    "intervals": intervals(scores, groups),
  }


def intervals(
  scores: dict[str, Scores], groups: np.ndarray
) -> dict[str, dict[str, Interval]]:
  """Mean scores with intervals by photograph."""
  weights = image_bootstrap.draws(groups)

  def mean(values: np.ndarray) -> Interval:
    statistic = functools.partial(image_bootstrap.mean, values)
    return image_bootstrap.interval(statistic, weights)

  base = scores[BICUBIC]["psnr"]
  return {
    way: {
      **{k: mean(table[k]) for k in METRICS if k in table},
      "gain": mean(table["psnr"] - base),
    }
    for way, table in scores.items()
  }


def _scorer(run: UpscalerRun) -> Callable[[np.ndarray, np.ndarray], Scores]:
  """A function of an image and its truth, each `(h, w, c)`, to its scores."""
  border = run.factor
  similar = jax.jit(functools.partial(enlarged_similarity, border=border))
  distance = perceptual(
    run.image_shape[2], run.experiment.loss.perceptual_weights
  )

  def score(image: np.ndarray, truth: np.ndarray) -> Scores:
    x, y = (np.asarray(normalize(a[None])) for a in (image, truth))
    inner = (np.asarray(cropped(a, border)) for a in (x, y))
    found = {**similar(x, y), **distance(*inner)}
    return {k: np.asarray(v) for k, v in found.items()}

  return score
