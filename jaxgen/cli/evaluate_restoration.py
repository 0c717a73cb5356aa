"""`jaxgen evaluate --restore`: a denoiser as the prior of restoration."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, sensor_flags

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.evaluation.restoration import Restoration
  from jaxgen.evaluation.restoration_bench import Plan
  from jaxgen.evaluation.sensors import Sensor
  from jaxgen.sample.denoiser import DenoiserRun

FLAGS = (*sensor_flags.SENSOR, "samples", "alone")  # of --restore
WITHOUT_BM3D = (
  'BM3D is not measured: install it with pip install "jaxgen[benchmark]" (free'
  " for non-commercial use)."
)


def add_restoration_flags(group: flags.Group) -> None:
  """Add `--restore` and its flags."""
  group.add_argument(
    "--restore",
    action="store_true",
    help="measure the restoration of held-out tiles from simulated counts",
  )
  sensor_flags.add_sensor_flags(group)
  group.add_argument(
    "--samples",
    type=flags.integer(0, 256),
    help="samples of each tile, for intervals; 1: their quality only "
    "(default: 0)",
  )
  group.add_argument(
    "--alone",
    action="store_true",
    help="only the ways of `jaxgen restore`, without others to compare with: "
    "the same budget measures more tiles",
  )


def evaluate(
  run: DenoiserRun, args: argparse.Namespace, out: pathlib.Path
) -> None:
  """Restore held-out tiles, print, and write restoration.json and the page."""
  from jaxgen.cli.restoration_tables import print_restoration
  from jaxgen.evaluation import restoration_summary
  from jaxgen.formats.atomic import write_json
  from jaxgen.report.origin import origin
  from jaxgen.report.restoration import write_restoration_page

  sensors = sensor_flags.sensors(args)
  found, notes = _restored(run, args, sensors)
  measures = restoration_summary.summary(found)
  facts = {
    "step": run.step,
    "seed": args.seed,
    "background": sensors[0].background,
    "read_noise": sensors[0].read_noise,
  }
  write_json(out / "restoration.json", facts | measures)
  write_restoration_page(
    out / "restoration.html",
    measures,
    pictures=_pictures(found),
    notes=notes,
    facts=origin(args.command, [run]),
  )
  print_restoration(measures)
  for note in notes[1:]:
    print(note)


def _restored(
  run: DenoiserRun, args: argparse.Namespace, sensors: list[Sensor]
) -> tuple[Restoration, list[str]]:
  """The evaluation, and notes on it; the first is printed before."""
  from jaxgen.evaluation import held_out, restoration, restorers
  from jaxgen.evaluation.prior import Prior

  prior = Prior.of(run, batch=args.batch)
  if args.alone:
    ways = restorers.alone(prior)
  else:
    ways = restorers.without_network() | restorers.network(prior)
  plan = restoration.affordable(
    ways.values(),
    args.num,
    args.budget,
    levels=len(sensors),
    samples=args.samples or 0,
  )
  tiles = held_out.read(run, plan.tiles, seed=args.seed)
  plan = plan.within(len(tiles.images))
  notes = _notes(run, plan, sensors[0], alone=args.alone)
  print(notes[0], flush=True)
  weights = run.experiment.loss.perceptual_weights
  found = restoration.evaluate(
    prior,
    tiles,
    sensors,
    ways=ways,
    plan=plan,
    weights=weights,
    seed=args.seed,
  )
  return found, notes


def _notes(
  run: DenoiserRun, plan: Plan, sensor: Sensor, *, alone: bool
) -> list[str]:
  """Sentences on what is measured."""
  from jaxgen.evaluation import restorers
  from jaxgen.evaluation.classical import has_bm3d
  from jaxgen.evaluation.restoration_bench import SLOW_TILES

  classical = f"{min(plan.tiles, SLOW_TILES):,} by ways without a network and "
  first = (
    f"step {run.step}; at most {plan.tiles:,} held-out tiles of"
    f" {run.resolution} pixels, of which the first"
    f" {'' if alone else classical}{plan.sampled:,} by ways that sample"
    f" (--budget); background {sensor.background:g} and read noise"
    f" {sensor.read_noise:g} electrons"
  )
  if alone:
    return [first]
  published = (
    f"{restorers.DPS} and {restorers.DIFFPIR} take {restorers.STEPS} ancestral"
    " steps with the step lengths of their papers, and the mean variance of the"
    " counts; total variation is weighed by the variance of its residual."
  )
  return [first, published, *([] if has_bm3d() else [WITHOUT_BM3D])]


def _pictures(found: Restoration) -> dict[str, np.ndarray]:
  """Tiles restored by every way, for each sensor."""
  from jaxgen import pictures
  from jaxgen.evaluation.restoration_bench import SHOWN

  shown = {}
  for sensor in found.counts:
    columns = {"truth": list(found.tiles.images[:SHOWN])}
    columns |= {
      x.name: list(x.images) for x in found.rows if x.sensor == sensor
    }
    caption = f"{sensor.photons:g} photons"
    shown[caption] = pictures.labeled_columns(columns)
  return shown
