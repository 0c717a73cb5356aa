"""Interpolate between two images in latent space.

  jaxgen interpolate --workdir=runs/demo --a=A.png --b=B.png --out=between

Writes images of linear interpolation (linear_*.png) and of spherical
interpolation around the mean latent (spherical_*.png), and grid.png with a row
of each between the originals. Of an image larger than a tile, the center square
is resized to one. A hybrid paints all images with the same noise (--seed).
"""

from __future__ import annotations

import argparse
import functools
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs, outputs, painting_flags
from jaxgen.cli.output_folder import replacing
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.sample.run import LoadedRun


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser, batch=False)
  parser.add_argument("--a", required=True, help="first image")
  parser.add_argument("--b", required=True, help="last image")
  parser.add_argument(
    "--steps",
    type=flags.integer(2),
    default=9,
    help="number of images, including both ends (default: 9)",
  )
  flags.add_upsample_flag(parser)
  painting_flags.add_paint_seed_flag(parser)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Interpolate and write."""
  from jaxgen import pictures
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible

  model = inputs.open_coder(args)
  seed = painting_flags.paint_seed(model, args)
  interpolate = functools.partial(model.interpolate, **seed)
  a, b = (_read_image(model, args, path) for path in (args.a, args.b))
  rows = {}
  with replacing(args.out, "interpolate") as folder:
    for how in ("linear", "spherical"):
      images = interpolate(a, b, args.steps, how=how)
      for i, image in enumerate(images):
        path = folder / f"{how}_{i:03}.png"
        outputs.write_image(path, image, channels=model.shown_channels)
      label = f"original, {how} interpolation, original"
      rows[label] = [visible(x, model.shown_channels) for x in (a, *images, b)]
    write_png(folder / "grid.png", pictures.labeled_rows(rows))
  print(f"2 x {args.steps} images and grid.png are in {args.out}.")


def _read_image(
  model: LoadedRun, args: argparse.Namespace, path: str
) -> np.ndarray:
  if not pathlib.Path(path).is_file():
    raise UserError(f"{path}: expected an image file for each of --a and --b.")
  return inputs.read_tile(model, args, path)
