"""Encode images to latents in an .npz file.

  jaxgen encode --workdir=runs/demo --input=my_tiles --out=latents.npz

The file contains `latents`, the file `names`, and `labels` and `label_names` if
the images are in one subfolder per class. Images larger than a tile are cut
into overlapping windows at the scale of the run's training crops (--tiled): the
file then has a latent of each window, with the name of its image, its place
`windows` (top, left) in the scaled image, the size `scaled_sizes` (height,
width) of that and `image_sizes` of the original, for `jaxgen decode`. With
--fit the center square of each image is resized to one tile.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.data.input_tiles import TiledImage


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser, out=".npz file to write")
  flags.add_input_flag(parser, required=True)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Encode and write."""
  from jaxgen.formats.npz import write_npz

  model = inputs.open_coder(args, args.out.parent)
  if args.out.is_dir():
    raise UserError(f"--out={args.out}: expected a file, got a folder.")
  tiles = inputs.read_tiles(model, args)
  arrays = _described(tiles)
  latents = model.encode_windows(
    (window for x in tiles for window in x.windows()),
    len(arrays["names"]),
    batch=args.batch,
  )
  write_npz(args.out, latents=latents, **arrays)
  print(
    f"{len(latents)} latents of shape {latents.shape[1:]} are in {args.out}."
  )


def _described(tiles: list[TiledImage]) -> dict[str, np.ndarray]:
  """The arrays that describe each latent."""
  import numpy as np

  from jaxgen.data.splits import class_labels
  from jaxgen.latents import windows

  counts = [len(x.grid) for x in tiles]
  names = np.repeat([x.image.name for x in tiles], counts)
  label_names, labels = class_labels([x.image.name for x in tiles])
  arrays = {"names": names}
  if label_names:
    arrays["labels"] = np.repeat(np.asarray(labels), counts)
    arrays["label_names"] = np.asarray(label_names)
  if all(x.is_tile or x.fit for x in tiles):
    return arrays
  sizes = [x.image.size for x in tiles]
  return arrays | windows.as_arrays([x.grid for x in tiles], sizes)
