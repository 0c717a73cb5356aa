"""`jaxgen evaluate` on the run of an upscaler."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.cli import inputs, sampling_flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.evaluation.upscaling import Pair
  from jaxgen.sample.upscaler import UpscalerRun

FILES = "metrics.json, per_image.csv and compare.png"
SHOWN, SIDE = 8, 128  # images in compare.png, and the side of their centers
CUTTING = ("tiled", "fit", "upsample")


def evaluate(
  run: UpscalerRun, args: argparse.Namespace, out: pathlib.Path
) -> None:
  """Measure, print, and write metrics.json, per_image.csv and compare.png."""
  from jaxgen.cli.evaluation_tables import print_upscaling
  from jaxgen.evaluation import reconstruction, upscaling

  owner = "runs of autoencoders"
  sampling_flags.refuse(args, CUTTING, owner=owner)
  pairs = _pairs(run, args)
  scores, facts = upscaling.evaluate(run, pairs)
  facts["source"] = args.input or "the validation split"
  reconstruction.write_reconstruction(
    out, [x.name for x in pairs], scores=scores, facts=facts, columns={}
  )
  _write_picture(run, pairs[:SHOWN], out / "compare.png")
  print_upscaling(facts)


def _pairs(run: UpscalerRun, args: argparse.Namespace) -> Sequence[Pair]:
  """Images of --input, at most --num, reduced; or held-out tiles."""
  from jaxgen.evaluation import upscaling

  if not args.input:
    return upscaling.held_out_pairs(run, args.num)
  if run.experiment.data.degradation == "pairs":
    raise UserError(
      f"--input={args.input}: expected a run whose small images are made of the"
      " large ones, got data.degradation=pairs; its held-out pairs are measured"
      " without --input."
    )
  images = inputs.read_images(run, args.input)[: args.num]
  return [
    upscaling.reduced(run, x.read(), name=x.name, key=i)
    for i, x in enumerate(images)
  ]


def _write_picture(
  run: UpscalerRun, pairs: Sequence[Pair], path: pathlib.Path
) -> None:
  """The centers of images, enlarged in every way."""
  from jaxgen import pictures
  from jaxgen.evaluation import upscaling
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible

  rows = {}
  for pair in pairs:
    images = upscaling.enlargements(run, pair.low) | {"truth": pair.image}
    for way, x in images.items():
      top, left = (max(0, (n - SIDE) // 2) for n in x.shape[:2])
      center = x[top : top + SIDE, left : left + SIDE]
      rows.setdefault(way, []).append(visible(center, run.shown_channels))
  write_png(path, pictures.labeled_rows(rows, most=SIDE))
