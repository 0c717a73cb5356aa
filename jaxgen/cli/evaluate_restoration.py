"""`jaxgen evaluate --restore`: a denoiser as the prior of restoration."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.evaluation.restoration import Plan, Restoration
  from jaxgen.sample.denoiser import DenoiserRun

FLAGS = ("photons", "background", "read_noise", "samples")  # of --restore
DEFAULTS = {"background": 1.0, "read_noise": 1.0, "samples": 0}
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
  group.add_argument(
    "--photons",
    type=_levels,
    metavar="N,...",
    help="electrons at white above black (default: 2,5,20,100,1000)",
  )
  group.add_argument(
    "--background",
    type=flags.number(above=-1e-9),
    help="electrons at black (default: 1)",
  )
  group.add_argument(
    "--read_noise",
    type=flags.number(above=0),
    help="read noise in electrons (default: 1)",
  )
  group.add_argument(
    "--samples",
    type=flags.integer(0, 256),
    help="samples of each tile, for intervals; 1: their quality only "
    "(default: 0)",
  )


def _levels(text: str) -> tuple[float, ...]:
  """The type of `--photons`."""
  values = tuple(flags.number(above=0)(x) for x in text.split(","))
  if len(set(values)) < len(values):
    raise argparse.ArgumentTypeError(f"expected different numbers, got {text}")
  return values


def evaluate(
  run: DenoiserRun, args: argparse.Namespace, out: pathlib.Path
) -> None:
  """Restore held-out tiles, print, and write restoration.json and the page."""
  from jaxgen.cli.restoration_tables import print_restoration
  from jaxgen.evaluation import held_out, restoration, restoration_summary
  from jaxgen.evaluation.classical import has_bm3d
  from jaxgen.evaluation.restorers import Prior
  from jaxgen.evaluation.sensors import Sensor
  from jaxgen.formats.atomic import write_json
  from jaxgen.report.restoration import write_restoration_page

  given = {k: getattr(args, k) for k in DEFAULTS}
  known = {k: DEFAULTS[k] if x is None else x for k, x in given.items()}
  sensors = [
    Sensor(
      photons=photons,
      background=known["background"],
      read_noise=known["read_noise"],
    )
    for photons in args.photons or restoration.PHOTONS
  ]
  prior = Prior.of(run, batch=args.batch)
  plan = restoration.affordable(
    prior,
    args.num,
    args.budget,
    levels=len(sensors),
    samples=known["samples"],
  )
  tiles = held_out.read(run, plan.tiles, seed=args.seed)
  notes = _notes(run, plan, known, has_bm3d())
  print(notes[0], flush=True)
  found = restoration.evaluate(
    prior,
    tiles,
    sensors,
    plan=plan,
    weights=run.experiment.loss.perceptual_weights,
    seed=args.seed,
  )
  measures = restoration_summary.summary(found)
  write_json(
    out / "restoration.json",
    {"step": run.step, "seed": args.seed, **known, **measures},
  )
  write_restoration_page(
    out / "restoration.html", measures, pictures=_pictures(found), notes=notes
  )
  print_restoration(measures)
  for note in notes[1:]:
    print(note)


def _notes(
  run: DenoiserRun, plan: Plan, known: dict[str, float], has_bm3d: bool
) -> list[str]:
  """Sentences on what is measured."""
  from jaxgen.evaluation import restoration, restorers

  classical = min(plan.tiles, restoration.SLOW_TILES)
  first = (
    f"step {run.step}; at most {plan.tiles:,} held-out tiles of"
    f" {run.resolution} pixels, of which the first {classical:,} by ways"
    f" without a network and {plan.sampled:,} by ways that sample (--budget);"
    f" background {known['background']:g} and read noise"
    f" {known['read_noise']:g} electrons"
  )
  published = (
    f"{restorers.DPS} and {restorers.DIFFPIR} take {restorers.STEPS} ancestral"
    " steps with the step lengths of their papers, and the mean variance of the"
    " counts; total variation is weighed by the variance of its residual."
  )
  return [first, published, *([] if has_bm3d else [WITHOUT_BM3D])]


def _pictures(found: Restoration) -> dict[str, np.ndarray]:
  """Tiles restored by every way, for each sensor."""
  from jaxgen import pictures
  from jaxgen.evaluation.restoration import SHOWN

  shown = {}
  for sensor in found.counts:
    columns = {"truth": list(found.tiles.images[:SHOWN])}
    columns |= {
      x.name: list(x.images) for x in found.rows if x.sensor == sensor
    }
    caption = f"{sensor.photons:g} photons"
    shown[caption] = pictures.labeled_columns(columns)
  return shown
