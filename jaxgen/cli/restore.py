"""Restore noisy images of a camera by a trained denoiser.

  jaxgen restore --workdir=runs/demo --input=cell.tif --out=restored \\
    --gain=2.1 --read_noise=1.6 --black=100 --white=65535
  jaxgen restore --workdir=runs/demo --input=frames --out=restored \\
    --noise=camera/noise.json --samples=8

The camera is DN = gain (Poisson(electrons) + N(0, read_noise^2)) + black, as
`jaxgen calibrate` measures it. Images may have any size and type (counts as
they are stored: TIFF, FITS, camera raw, .npy, PNG); files with several
exposures are restored exposure by exposure.

Writes mean.tif and mean.npy, std and, with --samples, samples, in DN as the
input: .npy and std.tif as float32, the others as 16-bit TIFF if that holds
them. For a folder, each image has a folder of its own. report.html and
report.json say how the result agrees with the counts, and restored.png shows
it.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs, sampling_flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.restoration.camera import Camera

CAMERA = ("gain", "read_noise", "black", "white")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  parser.add_argument(
    "--input", required=True, type=pathlib.Path, help="image file, or folder"
  )
  parser.set_defaults(takes_more=True)  # the conditions of the run
  _add_camera_flags(parser.add_argument_group("the camera"))
  _add_result_flags(parser.add_argument_group("the result"))


def _add_camera_flags(group: flags.Group) -> None:
  group.add_argument(
    "--noise",
    type=pathlib.Path,
    metavar="noise.json",
    help="the camera, as jaxgen calibrate writes it",
  )
  group.add_argument(
    "--gain", type=flags.number(above=0), help="DN per electron"
  )
  group.add_argument(
    "--read_noise", type=flags.number(), help="electrons (not DN)"
  )
  group.add_argument(
    "--black", type=flags.number(), help="DN of no light (default: the file's)"
  )
  group.add_argument(
    "--white",
    type=flags.number(),
    help="lowest DN of saturated pixels (default: the file's, or none)",
  )
  group.add_argument(
    "--background",
    type=flags.number(),
    default=0.0,
    help="electrons of the darkest parts, as of a sky (default: 0)",
  )
  group.add_argument(
    "--operator",
    default="none",
    help="what the camera does to the image: none (the default), downsample:2,"
    " blur:1.5 (a Gaussian, in pixels), bayer:RGGB (four planes of a mosaic)",
  )


def _add_result_flags(group: flags.Group) -> None:
  group.add_argument(
    "--scale",
    help="electrons of the prior's white above black; white: those of --white;"
    " image: those of the brightest parts of each image (default: white if the"
    " image comes near it, else image)",
  )
  group.add_argument(
    "--samples",
    type=flags.integer(0, 1024),
    default=0,
    help="number of samples; 0 (the default): the mean by a single answer",
  )
  flags.add_seed_flag(group, help="seed of the samples (default: 0)")
  group.add_argument(
    "--sampler", help="of jaxgen sample (default: dpmpp_2m with 36 steps)"
  )
  group.add_argument(
    "--steps", type=flags.integer(1, 10_000), help="number of sampling steps"
  )
  group.add_argument(
    "--corrections",
    type=flags.integer(0, 64),
    help="corrections per network call, for denoisers trained without"
    " diffusion.noise_map (default: 2)",
  )
  group.add_argument(
    "--std_factor",
    type=flags.number(above=0),
    default=1.0,
    help="factor on the standard deviation, fitted on other images (default: 1;"
    " the report states it)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Restore and write."""
  _check_camera(args)
  scale = _scale(args.scale)
  camera = _known_camera(args)
  from jaxgen.cli import restored_files

  files = restored_files.find(args.input)
  model = inputs.open_denoiser(args)
  conditions = sampling_flags.requested_conditions(model, rest)
  names = ("sampler", "steps", "corrections")
  given = {k: getattr(args, k) for k in names if getattr(args, k) is not None}
  options = given | {
    "background": args.background,
    "operator": args.operator,
    "scale": scale,
    "samples": args.samples,
    "seed": args.seed,
    "std_factor": args.std_factor,
    "batch": args.batch,
    "conditions": conditions,
  }
  restored_files.restore(
    model, files, camera, options=options, black=args.black, white=args.white
  ).write(args.out)


def _check_camera(args: argparse.Namespace) -> None:
  """Raise a UserError unless the flags state one camera."""
  given = [x for x in CAMERA if getattr(args, x) is not None]
  if args.noise is not None and given:
    raise UserError(
      f"--noise={args.noise} and --{given[0]}={getattr(args, given[0]):g}:"
      " expected one of them."
    )
  missing = [x for x in ("gain", "read_noise") if x not in given]
  if args.noise is None and missing:
    raise UserError(
      f"expected --noise=noise.json, or --gain and --read_noise, got no"
      f" --{missing[0]}; jaxgen calibrate measures them."
    )
  if args.read_noise is not None and args.read_noise < 0:
    raise UserError(f"--read_noise={args.read_noise:g}: expected 0 or more.")
  if args.background < 0:
    raise UserError(f"--background={args.background:g}: expected 0 or more.")


def _known_camera(args: argparse.Namespace) -> Camera | None:
  """The camera of noise.json; None: it is of the flags."""
  if args.noise is None:
    return None
  from jaxgen.workdir.noise_file import read_noise_json

  return read_noise_json(args.noise)


def _scale(text: str | None) -> float | str | None:
  if text in (None, "white", "image"):
    return text
  try:
    return flags.number(above=0)(text)
  except argparse.ArgumentTypeError as e:
    raise UserError(
      f"--scale={text}: expected white, image or a number above 0."
    ) from e
