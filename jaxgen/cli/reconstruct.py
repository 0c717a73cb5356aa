"""Reconstruct images: encode and decode them.

  jaxgen reconstruct --workdir=runs/demo --input=my_tiles --out=rebuilt

Writes one PNG per image, and compare.png: originals above reconstructions.
"""

from __future__ import annotations

import argparse

from jaxgen.cli import flags, inputs, outputs
from jaxgen.cli.output_folder import replacing

COMPARED = 8  # number of images in compare.png


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  flags.add_input_flag(parser, required=True)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Reconstruct and write."""
  import numpy as np

  from jaxgen.formats.png import write_png
  from jaxgen.images import as_uint8, grid, visible

  model = inputs.open_autoencoder(args)
  names, images = inputs.read_images(model, args.input, upsample=args.upsample)
  reconstructions = model.reconstruct(images, batch=args.batch)
  rows = [as_uint8(images[:COMPARED]), reconstructions[:COMPARED]]
  with replacing(args.out, "reconstruct") as folder:
    outputs.write_images(
      folder, names, reconstructions, channels=model.shown_channels
    )
    write_png(
      folder / "compare.png",
      grid(visible(np.stack(rows), model.shown_channels)),
    )
  print(f"{len(images)} images and grid.png are in {args.out}.")
