"""Encode and decode a folder of images, and show both.

  jaxgen reconstruct --workdir=runs/demo --input=my_tiles --out=rebuilt

Writes one PNG for each image, and compare.png: originals above reconstructions.
"""

from __future__ import annotations

import argparse

from jaxgen.cli import common


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  common.add_run_flags(parser)
  common.add_input_flag(parser, required=True)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Reconstruct and write."""
  from jaxgen.formats.png import write_png
  from jaxgen.images import grid

  model = common.open_autoencoder(args)
  names, images = common.read_images(model, args)
  rebuilt = model.reconstruct(images, batch=args.batch)
  common.write_images(args.out, names, rebuilt)
  write_png(args.out / "compare.png", grid([images[:8], rebuilt[:8]]))
