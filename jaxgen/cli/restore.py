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
it. What a TIFF says of its images (description, ImageJ, OME, resolution, date,
camera, color profile) is kept; results of FITS are written as FITS as well,
with its header.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxgen.cli import flags, inputs, sampling_flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.cli.given_camera import Given
  from jaxgen.cli.restored_report import File

CAMERA = ("gain", "read_noise", "black", "white")
OPTIONS = (
  "background",
  "operator",
  "samples",
  "seed",
  "sampler",
  "steps",
  "corrections",
  "std_factor",
  "batch",
)


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
  """Restore, write, and print how the results agree with the counts."""
  _check_camera(args)
  options = _options(args)
  from jaxgen.cli import restored_files

  camera = _camera(args)
  paths = restored_files.find(args.input)
  model = inputs.open_denoiser(args)
  options["conditions"] = sampling_flags.requested_conditions(model, rest)
  files = restored_files.restore(
    model, paths, camera, options=options, out=args.out
  )
  _print(files)
  print(f"Results, report.html and restored.png are in {args.out}.")


def _options(args: argparse.Namespace) -> dict[str, Any]:
  """The keywords of `run.restore` that the flags give."""
  given = {k: getattr(args, k) for k in OPTIONS}
  options = {k: v for k, v in given.items() if v is not None}
  return options | {"scale": _scale(args.scale)}


def _print(files: Sequence[File]) -> None:
  """Print numbers by image, and each warning once."""
  said: dict[str, None] = {}
  for file in files:
    white = file.facts["electrons_at_white"]
    origin = file.facts["electrons_at_white_origin"]
    for x in file.images:
      found = x.check.chi_squared_samples
      found = x.check.chi_squared_mean if found is None else found
      print(
        f"{x.name}  white {white:.4g} electrons ({origin})"
        f"  mean {x.check.electrons_mean:.4g}  chi-squared {found:.3f}"
      )
      said |= dict.fromkeys(f"note: {note}." for note in x.notes)
      said |= dict.fromkeys(f"warning: {line}." for line in x.check.warnings)
  for line in said:
    print(line)


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


def _camera(args: argparse.Namespace) -> Given:
  """The camera of the flags, or of noise.json."""
  import numpy as np

  from jaxgen.cli.given_camera import Given

  if args.noise is None:
    return Given(args.gain, args.read_noise, args.black, args.white)
  from jaxgen.workdir.noise_maps import read_camera

  camera = read_camera(args.noise)
  white = camera.white if np.isfinite(camera.white) else None
  dead = camera.dead if isinstance(camera.dead, np.ndarray) else None
  return Given(camera.gain, camera.read_noise, camera.black, white, dead)


def _scale(text: str | None) -> float | str | None:
  if text in (None, "white", "image"):
    return text
  try:
    return flags.number(above=0)(text)
  except argparse.ArgumentTypeError as e:
    raise UserError(
      f"--scale={text}: expected white, image or a number above 0."
    ) from e
