"""The measures of an evaluation of restoration, with intervals by image, as
plain data."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxgen.evaluation import coverage, image_bootstrap, wiener
from jaxgen.evaluation.calibration_levels import Calibration
from jaxgen.evaluation.image_bootstrap import Interval, Weights
from jaxgen.evaluation.restoration import Restoration
from jaxgen.evaluation.restoration_bench import Row

METRICS = ("ssim", "lpips", "chi_squared")
Measures = dict[str, Any]


def summary(found: Restoration) -> Measures:
  """All measures; intervals are `[value, low, high]`, of 95%."""
  spreads = [
    {"photons": s.photons} | _spread(found, x) for s, x in found.spreads.items()
  ]
  return {
    "tiles": len(found.tiles.images),
    "images": len(np.unique(found.tiles.groups)),
    "shape": list(found.tiles.images.shape[1:]),
    "compared_with": found.reference,
    "restorations": rows(found),
    "samples": spreads,
    "calibration_by_sigma": [_calibration(x) for x in found.by_sigma],
    "calibration_by_photons": [_calibration(x) for x in found.by_photons],
  }


def rows(found: Restoration) -> list[Measures]:
  """The measures of every way at every sensor."""
  references = {
    row.sensor: row for row in found.rows if row.name == found.reference
  }
  return [_row(found, row, references[row.sensor]) for row in found.rows]


def _row(found: Restoration, row: Row, reference: Row) -> Measures:
  mse, num = row.scores["mse"], len(row.scores["mse"])
  weights = image_bootstrap.draws(found.tiles.groups[:num])
  interval = functools.partial(image_bootstrap.interval, weights=weights)
  both = min(num, len(reference.scores["mse"]))
  linear = wiener.squared_error(found.tiles.images[:num], row.sensor) / 4
  measures: Measures = {
    "photons": row.sensor.photons,
    "way": row.name,
    "tiles": num,
    "network_calls": row.calls,
    "seconds": row.seconds,
    "psnr": interval(functools.partial(image_bootstrap.decibels, mse)),
    "psnr_of_tiles": float(np.mean(row.scores["psnr"])),
    "mse_over_wiener": float(np.mean(mse)) / linear,
  }
  if row is not reference:
    measures["gain"] = _gain(
      mse[:both],
      reference.scores["mse"][:both],
      image_bootstrap.draws(found.tiles.groups[:both]),
    )
  for name in METRICS:
    if name in row.scores:
      mean = functools.partial(image_bootstrap.mean, row.scores[name])
      measures[name] = interval(mean)
  return measures | _by_class(found, row)


def _gain(mse: np.ndarray, reference: np.ndarray, weights: Weights) -> Interval:
  """PSNR above that of another way on the same tiles."""

  def gain(weights: Weights) -> np.ndarray:
    decibels = image_bootstrap.decibels
    return decibels(mse, weights) - decibels(reference, weights)

  return image_bootstrap.interval(gain, weights)


def _by_class(found: Restoration, row: Row) -> Measures:
  """PSNR by class, where the data have any."""
  mse = row.scores["mse"]
  labels, names = found.tiles.labels[: len(mse)], found.tiles.label_names
  classes = {}
  for i, name in enumerate(names):
    mine = labels == i
    if mine.any():
      classes[name] = image_bootstrap.interval(
        functools.partial(image_bootstrap.decibels, mse[mine]),
        image_bootstrap.draws(found.tiles.groups[: len(mse)][mine]),
      )
  return {"psnr_by_class": classes} if classes else {}


def _spread(found: Restoration, spread: coverage.Spread) -> Measures:
  num = len(spread.errors)
  groups = found.tiles.groups[:num]
  weights = image_bootstrap.draws(groups)
  factors = coverage.factors(spread, groups)

  def covered(factor: np.ndarray | float) -> dict[str, Interval]:
    shares = {x: coverage.covered(spread, x, factor) for x in coverage.LEVELS}
    return {
      f"{level:g}": image_bootstrap.interval(
        functools.partial(image_bootstrap.mean, share), weights
      )
      for level, share in shares.items()
    }

  ratio = functools.partial(
    image_bootstrap.ratio, spread.errors, spread.variances
  )
  return {
    "tiles": num,
    "samples": spread.samples,
    "coverage": covered(1.0),
    "error_over_variance": image_bootstrap.interval(ratio, weights),
    "factors": sorted(set(factors.tolist())),
    "coverage_with_factor": covered(factors),
    "ranks": (spread.ranks.sum(0) / spread.ranks.sum()).tolist(),
  }


def _calibration(found: Calibration) -> Measures:
  return dataclasses.asdict(found)
