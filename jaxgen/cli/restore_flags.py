"""The flags of `restore`."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from jaxgen.cli import flags
from jaxgen.errors import UserError

CAMERA = ("gain", "read_noise", "black", "white")
OPTIONS = (  # keywords of `run.restore`
  *("background", "operator", "samples", "seed", "sampler", "steps"),
  *("corrections", "std_factor", "with_std", "batch"),
  *("max_seconds", "max_memory", "preference"),
)
PREFERENCES = ("quality", "balanced", "speed")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  parser.add_argument(
    "--input", required=True, type=pathlib.Path, help="image file, or folder"
  )
  parser.set_defaults(takes_more=True)  # the conditions of the run
  _add_camera_flags(parser.add_argument_group("the camera"))
  _add_result_flags(parser.add_argument_group("the result"))
  _add_resolution_flags(
    parser.add_argument_group(
      "the resolution",
      "With any of these it is chosen for each file by the table that"
      " jaxgen calibrate --workdir=D writes: counts are summed in squares,"
      " restored, and enlarged.",
    )
  )


def _add_camera_flags(group: flags.Group) -> None:
  group.add_argument(
    "--noise",
    type=pathlib.Path,
    metavar="noise.json",
    help="the camera, as jaxgen calibrate writes it: the file, or its folder;"
    " the maps of single pixels beside it are used",
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
    " blur:1.5 (a Gaussian, in pixels), bayer:RGGB (the mosaic of a sensor,"
    " whose planes are red, green, green, blue)",
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
  group.add_argument(
    "--no_std",
    dest="with_std",
    action="store_false",
    help="without samples, the mean alone: 2 network calls for each window,"
    " instead of 2 and 32 a channel for the standard deviation",
  )


def _add_resolution_flags(group: flags.Group) -> None:
  group.add_argument(
    "--max_seconds",
    type=flags.number(above=0),
    help="time that each image may take, without compilation",
  )
  group.add_argument(
    "--max_memory",
    type=flags.byte_size,
    metavar="BYTES",
    help="memory of the program, as in 2GiB; fewer windows are restored at a"
    " time if it is scarce",
  )
  group.add_argument(
    "--preference",
    choices=PREFERENCES,
    help="quality (the default): the least expected error within the limits;"
    " balanced, speed: the fastest resolution within 0.1 or 0.5 dB of it",
  )


def options(args: argparse.Namespace) -> dict[str, Any]:
  """The keywords of `run.restore` that the flags give."""
  given = {k: getattr(args, k) for k in OPTIONS}
  known = {k: v for k, v in given.items() if v is not None}
  return known | {"scale": _scale(args.scale)}


def check_camera(args: argparse.Namespace) -> None:
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


def _scale(text: str | None) -> float | str | None:
  if text in (None, "white", "image"):
    return text
  try:
    return flags.number(above=0)(text)
  except argparse.ArgumentTypeError as e:
    raise UserError(
      f"--scale={text}: expected white, image or a number above 0."
    ) from e
