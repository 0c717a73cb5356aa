"""Change images with a denoiser: fill in, enlarge, vary, go between two.

  jaxgen edit --workdir=D --input=A.png --out=O --mask=M.png
  jaxgen edit --workdir=D --input=A.png --out=O --canvas=96x128
  jaxgen edit --workdir=D --input=FOLDER --out=O --strength=0.4
  jaxgen edit --workdir=D --input=A.png --out=O --to=B.png --between=9

White pixels of a mask are filled in, the others stay as they are, bit for bit,
as do the pixels in the middle of a larger canvas (HEIGHTxWIDTH). A strength
from 0 to 1 tells how much of the images may change. Conditions are flags, as
for `jaxgen sample`.

What is new is corrected towards what is known, at each call of the network, by
--corrections=N (default: 2), for two calls more each; with 0 a seam remains. Of
24 rock tiles on a canvas three times as wide (heun-18), grey levels differed by
24.2 across the known image's border and by 24.0 between other new pixels
(paired difference 0.2 +- 1.1); with one correction by 25.3 and 24.2 (1.1 +-
1.3), without by 36.3 and 24.2 (12.1 +- 1.6). Name the conditions
(--rock_type=...) where all of the canvas shall have them: what lies further off
than the network sees is new otherwise.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING, Any

from jaxgen.cli import common, sample
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

CANVASES = 4  # at a time: each is many windows
WAYS = ("mask", "canvas", "strength", "to")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  common.add_run_flags(parser)
  common.add_input_flag(parser, required=True)
  parser.set_defaults(takes_more=True)  # the conditions of the run
  parser.add_argument(
    "--seed",
    type=common.whole(0, 2**32 - 1),
    help="of what is new (default: 0)",
  )
  ways = parser.add_argument_group("one of")
  ways.add_argument("--mask", type=pathlib.Path, help="an image: white is new")
  ways.add_argument("--canvas", metavar="HxW", help="pixels of a larger image")
  ways.add_argument("--strength", type=float, help="more than 0, at most 1")
  ways.add_argument("--to", help="another image, to go to")
  parser.add_argument(
    "--between",
    type=common.whole(2),
    help="images on the way --to (default: 9)",
  )
  parser.add_argument(
    "--corrections",
    type=common.whole(0, 64),
    help="of what is new, towards what is known (--mask, --canvas)",
  )
  sample.add_sampler_flags(parser.add_argument_group("sampling"))


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Edit and write."""
  chosen = [way for way in WAYS if getattr(args, way) is not None]
  if len(chosen) != 1:
    raise UserError(
      f"one of {', '.join(f'--{x}' for x in WAYS)} is needed, not "
      f"{len(chosen)} of them."
    )
  if args.mask is None and args.canvas is None:
    sample.refuse(args, ("corrections",), "--mask and --canvas")
  if args.to is None:
    sample.refuse(args, ("between",), "--to")
  size = _canvas(args.canvas) if args.canvas is not None else None
  mask = _mask(args.mask) if args.mask is not None else None
  model = common.open_run(args)
  if model.task.denoiser is None:
    raise UserError(f"--workdir={args.workdir} is not a run of a denoiser.")
  names, images = common.read_images(model, args)
  asked = sample.asked(model, args, rest)
  if args.to is not None:
    images = _between(model, args, images, asked["conditions"])
    names = [f"{i:03}" for i in range(len(images))]
  else:
    if args.strength is None:
      _tell(model, args, len(images), asked)
    images = _change(model, args, images, asked, mask, size)
  common.write_images(args.out, names, images)


def _tell(
  model: Any, args: argparse.Namespace, num: int, asked: dict[str, Any]
) -> None:
  """What it will take."""
  from jaxgen.restoration.posterior import CORRECTIONS

  asked_for = args.corrections
  passes = CORRECTIONS if asked_for is None else asked_for
  calls = model.request(**asked).calls
  windows = " in each window" if args.canvas else ""
  print(
    f"{num} images x {calls} calls of the network, {passes} corrections "
    f"each{windows}",
    flush=True,
  )


def _change(
  model: Any,
  args: argparse.Namespace,
  images: np.ndarray,
  asked: dict[str, Any],
  mask: np.ndarray | None,
  size: tuple[int, int] | None,
) -> np.ndarray:
  given = {"seed": args.seed or 0, "batch": args.batch, **asked}
  if args.corrections is not None:
    given["corrections"] = args.corrections
  if mask is not None:
    _check_size(args.mask, mask, images)
    return model.inpaint(images, mask, **given)
  if size is not None:
    given["batch"] = min(args.batch, CANVASES)
    return model.outpaint(images, *size, **given)
  return model.edit(images, strength=args.strength, **given)


def _between(
  model: Any, args: argparse.Namespace, images: np.ndarray, conditions: dict
) -> np.ndarray:
  flags = (*sample.OF_REQUESTS, "seed")
  sample.refuse(args, flags, "the other ways of editing")
  _, others = common.read_images(model, args, args.to)
  if len(images) != 1 or len(others) != 1:
    raise UserError("--input and --to: one image each is needed.")
  steps = {} if args.between is None else {"steps": args.between}
  return model.interpolate(
    images[0],
    others[0],
    **steps,
    conditions=conditions,
    batch=args.batch,
  )


def _mask(path: pathlib.Path) -> np.ndarray:
  """Where an image is brighter than the middle."""
  import numpy as np
  from PIL import Image

  try:
    with Image.open(path) as file:
      kind, clear = file.mode, file.has_transparency_data
      mask = np.asarray(file.convert("L")) > 127
  except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
    raise UserError(f"--mask={path}: no image that can be read ({e}).") from e
  if clear or kind not in ("1", "L", "P", "RGB"):
    raise UserError(
      f"--mask={path}: of mode {kind}{' with transparency' if clear else ''}; "
      "save it as 8-bit black and white."
    )
  if not mask.any():
    raise UserError(f"--mask={path}: no pixel is white: nothing to fill in.")
  return mask


def _check_size(
  path: pathlib.Path, mask: np.ndarray, images: np.ndarray
) -> None:
  if mask.shape != images.shape[1:3]:
    h, w = images.shape[1:3]
    raise UserError(
      f"--mask={path}: {mask.shape[1]} x {mask.shape[0]} pixels, but images "
      f"are {w} x {h} here."
    )


def _canvas(text: str) -> tuple[int, int]:
  height, _, width = text.partition("x")
  if not (height.isdecimal() and width.isdecimal()):
    raise UserError(f"--canvas={text}: HEIGHTxWIDTH in pixels, as in 96x128.")
  return int(height), int(width)
