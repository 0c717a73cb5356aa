"""Edit images with a denoiser: inpaint, outpaint, vary, interpolate.

  jaxgen edit --workdir=D --input=A.png --out=O --mask=M.png
  jaxgen edit --workdir=D --input=A.png --out=O --canvas=96x128
  jaxgen edit --workdir=D --input=FOLDER --out=O --strength=0.4
  jaxgen edit --workdir=D --input=A.png --out=O --to=B.png --between=9

White pixels of a mask are filled in; the others are unchanged, bit for bit, as
is the original image in the middle of a larger canvas (HEIGHTxWIDTH). A mask
has the size of the image files, and is cut and resized as they are. The
strength, > 0 and <= 1, sets how much the images may change. Conditions are
given as flags, as for `jaxgen sample`. grid.png shows original, mask, result.

Images larger than a tile are edited at their own size (--tiled), in windows at
the scale of the run's training crops that overlap by half and are denoised
together; of an image with a mask only the part around it. With --fit, and
always for --to, the center square of each is resized to one tile.

New pixels are made consistent with known ones by --corrections=N (default: 2)
per network call, each at the cost of two calls; with 0 a seam remains. For 24
rock tiles on a canvas three times as wide (heun-18), gray levels differed by
24.2 across the border of the known image and by 24.0 between other new pixels
(paired difference 0.2 +- 1.1); with one correction by 25.3 and 24.2 (1.1 +-
1.3), without by 36.3 and 24.2 (12.1 +- 1.6). Set the conditions
(--rock_type=...) of the whole canvas: beyond the receptive field of the network
they are otherwise arbitrary.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jaxgen.cli import (
  edit_kinds,
  edit_values,
  flags,
  hint_flags,
  inputs,
  masks,
  outputs,
  sampling_flags,
)
from jaxgen.cli.output_folder import replacing

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.cli.edit_kinds import Edited
  from jaxgen.data.input_tiles import TiledImage
  from jaxgen.sample.denoiser import DenoiserRun

SHOWN = 16  # number of images in grid.png
SIDE = 320  # longer side of a large image in grid.png


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  flags.add_input_flag(parser, required=True)
  parser.set_defaults(takes_more=True)  # the conditions of the run
  flags.add_seed_flag(
    parser, help="seed of new pixels (default: 0)", default=None
  )
  kinds = parser.add_argument_group("kind of edit, exactly one of")
  kinds.add_argument(
    "--mask", type=pathlib.Path, help="mask image; white pixels are filled in"
  )
  kinds.add_argument(
    "--canvas", metavar="HxW", help="size of a larger canvas in pixels"
  )
  kinds.add_argument(
    "--strength", type=float, help="strength of variations, in (0, 1]"
  )
  kinds.add_argument("--to", help="another image to interpolate to")
  parser.add_argument(
    "--between",
    type=flags.integer(2),
    help="number of images for --to, including both ends (default: 9)",
  )
  parser.add_argument(
    "--corrections",
    type=flags.integer(0, 64),
    help="corrections per network call (--mask, --canvas; default: 2)",
  )
  group = parser.add_argument_group("sampling")
  sampling_flags.add_sampling_flags(group)
  hint_flags.add_hint_flags(group)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Edit and write."""
  edit_values.check_flags(args)
  size = None if args.canvas is None else edit_values.canvas(args.canvas)
  mask = None if args.mask is None else masks.read_mask(args.mask)
  model = inputs.open_denoiser(args)
  conditions = sampling_flags.requested_conditions(model, rest)
  if args.to is not None:
    _interpolate(model, args, conditions=conditions)
    return
  tiles = inputs.read_tiles(model, args)
  options = sampling_flags.sampling_options(args)
  options["conditions"] = conditions
  hints = hint_flags.add_sized(
    options, model, args, [edit_kinds.edited_size(x, size) for x in tiles]
  )
  order = sorted(range(len(tiles)), key=lambda i: edit_kinds.size_of(tiles[i]))
  tiles = [tiles[i] for i in order]
  hints = [hints[i] for i in order] if hints else hints
  editor = edit_kinds.Editor(model, args, options, hints)
  if mask is not None:
    edited = edit_kinds.inpaint(editor, tiles, mask)
  elif size is not None:
    edited = edit_kinds.outpaint(editor, tiles, size)
  else:
    edited = edit_kinds.vary(editor, tiles)
  _write(args, tiles, edited, mask=mask, channels=model.shown_channels)


def _write(
  args: argparse.Namespace,
  tiles: Sequence[TiledImage],
  edited: Iterator[Edited],
  *,
  mask: np.ndarray | None,
  channels: Sequence[int],
) -> None:
  """Write each image as it comes, and a picture of the first ones."""
  from jaxgen import pictures
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible

  def shown(image: np.ndarray) -> np.ndarray:
    return pictures.shown(visible(image, channels), most=SIDE)

  columns = {"original": [], "mask": [], "result": []}
  names = outputs.file_names([x.image.name for x in tiles])
  with replacing(args.out, "edit") as folder:
    for name, x, (original, result) in zip(names, tiles, edited, strict=True):
      outputs.write_image(folder / name, result, channels=channels)
      if len(columns["result"]) < SHOWN:
        columns["original"].append(shown(original))
        columns["result"].append(shown(result))
        if mask is not None:
          white = masks.fit_original(mask, x)[..., None] * 255
          columns["mask"].append(
            pictures.shown(white.astype("uint8"), most=SIDE)
          )
    columns = {label: column for label, column in columns.items() if column}
    picture = pictures.labeled_columns(columns, most=SIDE)
    write_png(folder / "grid.png", picture)
  print(f"{len(tiles)} images and grid.png are in {args.out}.")


def _interpolate(
  model: DenoiserRun, args: argparse.Namespace, *, conditions: dict[str, str]
) -> None:
  """Interpolate between the center squares of two images, and write."""
  from jaxgen import pictures
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible

  ends = [inputs.read_tile(model, args, x) for x in (args.input, args.to)]
  steps = args.between or 9
  path = model.interpolate(
    ends[0], ends[1], steps, conditions=conditions, batch=args.batch
  )
  names, channels = [f"{i:03}" for i in range(len(path))], model.shown_channels
  with replacing(args.out, "edit") as folder:
    outputs.write_images(folder, names, path, channels=channels)
    row = [visible(x, channels) for x in (ends[0], *path, ends[1])]
    label = "original, interpolation, original"
    write_png(folder / "grid.png", pictures.labeled_rows({label: row}))
  print(f"{len(path)} images and grid.png are in {args.out}.")
