"""Reconstruct images: encode and decode them.

  jaxgen reconstruct --workdir=runs/demo --input=my_photos --out=rebuilt

Images larger than a tile are cut into overlapping windows at the scale of the
run's training crops, and reassembled at their own size (--tiled), or the center
square of each is resized to one tile (--fit). Writes one PNG per image,
grid.png, and compare.png: originals above reconstructions. A hybrid paints
what the reconstructions of its autoencoder lack; --seed chooses the paint.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jaxgen.cli import flags, inputs, outputs, painting_flags
from jaxgen.cli.output_folder import replacing

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.cli.inputs import Coder
  from jaxgen.data.input_tiles import TiledImage

COMPARED = 8  # number of images in compare.png
SIDE = 320  # longer side of a large image in compare.png


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  flags.add_input_flag(parser, required=True)
  painting_flags.add_painting_flags(parser)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Reconstruct and write."""
  from jaxgen import pictures
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible

  model = inputs.open_coder(args)
  options = painting_flags.painting_options(model, args)
  tiles = inputs.read_tiles(model, args)
  images = _reconstructions(model, tiles, batch=args.batch, **options)
  names, compared = [x.image.name for x in tiles], tiles[:COMPARED]
  channels = model.shown_channels
  with replacing(args.out, "reconstruct") as folder:
    shown = outputs.write_each(
      folder, names, images, side=SIDE, channels=channels
    )
    originals = (x.read() if x.fit else x.image.read() for x in compared)
    rows = {
      "original": [visible(x, channels) for x in originals],
      "reconstruction": shown[:COMPARED],
    }
    picture = pictures.labeled_rows(rows, most=SIDE)
    write_png(folder / "compare.png", picture)
  print(f"{len(tiles)} images, grid.png and compare.png are in {args.out}.")


def _reconstructions(
  model: Coder, tiles: list[TiledImage], **options: Any
) -> Iterator[np.ndarray]:
  """The reconstruction of each image, at its size."""
  images = model.reconstruct_images(
    (window for x in tiles for window in x.windows()),
    [x.grid for x in tiles],
    **options,
  )
  return (x.restore(image) for x, image in zip(tiles, images, strict=True))
