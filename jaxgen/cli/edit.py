"""Edit images with a denoiser: inpaint, outpaint, vary, interpolate.

  jaxgen edit --workdir=D --input=A.png --out=O --mask=M.png
  jaxgen edit --workdir=D --input=A.png --out=O --canvas=96x128
  jaxgen edit --workdir=D --input=FOLDER --out=O --strength=0.4
  jaxgen edit --workdir=D --input=A.png --out=O --to=B.png --between=9

White pixels of a mask are filled in; the others are unchanged, bit for bit, as
is the original image in the middle of a larger canvas (HEIGHTxWIDTH). A mask of
the size of the image files is cut and resized as they are. The strength, > 0
and <= 1, sets how much the images may change. Conditions are given as flags, as
for `jaxgen sample`.

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
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs, masks, outputs, sampling_flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.options import SamplingKeywords

CANVASES = 4  # maximum batch size, since a canvas has many windows
KINDS = ("mask", "canvas", "strength", "to")


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
  sampling_flags.add_sampling_flags(parser.add_argument_group("sampling"))


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Edit and write."""
  _check_kind(args)
  size = None if args.canvas is None else _canvas(args.canvas)
  mask = None if args.mask is None else masks.read_mask(args.mask)
  model = inputs.open_denoiser(args)
  names, images = inputs.read_images(model, args.input, upsample=args.upsample)
  conditions = sampling_flags.requested_conditions(model, rest)
  if args.to is not None:
    path = _interpolate(model, args, images, conditions=conditions)
    names = [f"{i:03}" for i in range(len(path))]
    _save(model, args, path, names=names)
    return
  options = sampling_flags.sampling_options(args)
  options["conditions"] = conditions
  if mask is not None:
    mask = _fit_mask(args, mask, images, names=names)
    edited = _inpaint(model, args, images, mask=mask, options=options)
  elif size is not None:
    edited = _outpaint(model, args, images, size=size, options=options)
  else:
    edited = _vary(model, args, images, options=options)
  _save(model, args, edited, names=names)


def _save(
  model: DenoiserRun,
  args: argparse.Namespace,
  images: np.ndarray,
  *,
  names: Sequence[str],
) -> None:
  channels = model.shown_channels
  outputs.save_images(args, names, images, verb="edit", channels=channels)


def _check_kind(args: argparse.Namespace) -> None:
  """Raise a UserError unless the flags are those of exactly one kind."""
  chosen = [kind for kind in KINDS if getattr(args, kind) is not None]
  if len(chosen) != 1:
    kinds, given = (
      ", ".join(f"--{kind}" for kind in names) for names in (KINDS, chosen)
    )
    raise UserError(f"expected one of {kinds}, got {given or 'none'}.")
  if args.mask is None and args.canvas is None:
    owner = "--mask and --canvas"
    sampling_flags.refuse(args, ("corrections",), owner=owner)
  if args.to is None:
    sampling_flags.refuse(args, ("between",), owner="--to")
  else:
    names, owner = (
      (*sampling_flags.SAMPLING, "seed"),
      "the other kinds of edits",
    )
    sampling_flags.refuse(args, names, owner=owner)


def _canvas(text: str) -> tuple[int, int]:
  height, _, width = text.partition("x")
  if not (height.isdecimal() and width.isdecimal()):
    raise UserError(f"--canvas={text}: expected HEIGHTxWIDTH, as in 96x128.")
  return int(height), int(width)


def _fit_mask(
  args: argparse.Namespace,
  mask: np.ndarray,
  images: np.ndarray,
  *,
  names: list[str],
) -> np.ndarray:
  """The mask at the size of the images."""
  files = inputs.image_files(args.input, names)
  return masks.fit_mask(mask, images.shape[1], files=files, path=args.mask)


def _corrections(args: argparse.Namespace) -> int:
  from jaxgen.restoration.posterior import CORRECTIONS

  return CORRECTIONS if args.corrections is None else args.corrections


def _print_cost(
  model: DenoiserRun,
  args: argparse.Namespace,
  num: int,
  *,
  options: SamplingKeywords,
) -> None:
  windows = " in each window" if args.canvas else ""
  print(
    f"{num} images x {model.network_calls(**options)} network calls, "
    f"{_corrections(args)} corrections each{windows}",
    flush=True,
  )


def _inpaint(
  model: DenoiserRun,
  args: argparse.Namespace,
  images: np.ndarray,
  *,
  mask: np.ndarray,
  options: SamplingKeywords,
) -> np.ndarray:
  _print_cost(model, args, len(images), options=options)
  return model.inpaint(
    images,
    mask,
    seed=args.seed or 0,
    batch=args.batch,
    corrections=_corrections(args),
    **options,
  )


def _outpaint(
  model: DenoiserRun,
  args: argparse.Namespace,
  images: np.ndarray,
  *,
  size: tuple[int, int],
  options: SamplingKeywords,
) -> np.ndarray:
  _print_cost(model, args, len(images), options=options)
  return model.outpaint(
    images,
    *size,
    seed=args.seed or 0,
    batch=min(args.batch, CANVASES),
    corrections=_corrections(args),
    **options,
  )


def _vary(
  model: DenoiserRun,
  args: argparse.Namespace,
  images: np.ndarray,
  *,
  options: SamplingKeywords,
) -> np.ndarray:
  return model.edit(
    images,
    strength=args.strength,
    seed=args.seed or 0,
    batch=args.batch,
    **options,
  )


def _interpolate(
  model: DenoiserRun,
  args: argparse.Namespace,
  images: np.ndarray,
  *,
  conditions: dict[str, str],
) -> np.ndarray:
  _, others = inputs.read_images(model, args.to, upsample=args.upsample)
  if len(images) != 1 or len(others) != 1:
    raise UserError("--input and --to: expected one image each.")
  return model.interpolate(
    images[0],
    others[0],
    args.between or 9,
    conditions=conditions,
    batch=args.batch,
  )
