"""Measure the noise of a camera, or the resolutions of a run.

  jaxgen calibrate --pairs=A.tif,B.tif --black=100 --out=camera
  jaxgen calibrate --flats=flats --darks=darks --out=camera
  jaxgen calibrate --frames=exposures.npz --out=camera
  jaxgen calibrate --header=M13.fits --out=camera
  jaxgen calibrate --image=photo.tif --black=100 --out=camera
  jaxgen calibrate --workdir=runs/demo --resolutions=16,32,64

The camera is DN = gain (Poisson(electrons) + N(0, read_noise^2)) + black: the
gain is in DN per electron (a FITS header's GAIN is usually its inverse, and
read as that), the read noise in electrons. Two or more exposures of one scene,
or flats at several light levels, tell gain and read noise by photon transfer;
darks tell black level and read noise, and are combined with any of the others.
A single image gives a guess, for few photons only.

Writes noise.json, read by `jaxgen restore`, the plot photon_transfer.png, and,
of darks, maps of single pixels, which are used as well: black.npy (DN) and
read_noise.npy (electrons), as far as pixels differ by more than the noise of
the darks, and dead.npy, true where pixels are dead, hot or restless. Your own
maps, gain.npy too, may lie beside noise.json; a pixel that is NaN in one is
dead.

With --workdir the error, time and memory of a denoiser's restorations are
measured on held-out tiles: of counts as they are, and of counts summed in
squares, which is faster, with the answer enlarged and compared at full
resolution. By the table, WORKDIR/resolutions.json, `jaxgen restore` chooses a
resolution within limits of time and memory (--max_seconds, --max_memory).
"""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import TYPE_CHECKING, Any

from jaxgen.cli import calibrate_resolutions, flags, outputs
from jaxgen.cli.sampling_flags import refuse
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.cli.calibration_result import Measured

NEEDED = "--pairs, --flats, --frames, --image, --header, --darks or --workdir"
CAMERA = (
  *("pairs", "flats", "frames", "image", "header", "darks"),
  *("gain", "black", "white", "out"),
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  _add_exposure_flags(parser.add_argument_group("what is measured"))
  known = parser.add_argument_group("what is known")
  known.add_argument(
    "--gain",
    type=flags.number(above=0),
    help="DN per electron, with --darks alone or in place of a header's",
  )
  known.add_argument(
    "--black",
    type=flags.number(),
    help="DN of no light (default: that of the darks, or of the files)",
  )
  known.add_argument(
    "--white",
    type=flags.number(),
    help="lowest DN of saturated pixels (default: that of the files, where many"
    " pixels are at the largest value, or that of the type)",
  )
  known.add_argument("--out", type=pathlib.Path, help="output folder")
  calibrate_resolutions.add_flags(parser)
  parser.add_argument(
    "--json", action="store_true", help="print only the result, as JSON"
  )


def _add_exposure_flags(group: argparse._ArgumentGroup) -> None:
  one = group.add_mutually_exclusive_group()
  one.add_argument(
    "--pairs",
    action="append",
    metavar="A,B",
    help="files of two or more exposures of one scene; repeatable",
  )
  one.add_argument(
    "--flats",
    type=pathlib.Path,
    metavar="FOLDER",
    help="exposures of an even surface, two or more at each light level",
  )
  one.add_argument(
    "--frames",
    type=pathlib.Path,
    metavar="FILE",
    help="exposures of one scene in a file: .npy, .npz, TIFF, FITS",
  )
  one.add_argument(
    "--image", type=pathlib.Path, metavar="FILE", help="a single image"
  )
  one.add_argument(
    "--header",
    type=pathlib.Path,
    metavar="FILE",
    help="a FITS file whose header states the noise",
  )
  group.add_argument(
    "--darks",
    type=pathlib.Path,
    metavar="FOLDER",
    help="exposures without light",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Measure, write and print."""
  if args.workdir is not None:
    refuse(args, CAMERA, owner="a camera, not a run (--workdir)")
    calibrate_resolutions.run(args)
    return
  _check(args)
  from jaxgen.cli import calibration, calibration_files

  outputs.check_folder(args.out)
  measured = calibration.measure(args)
  content = calibration_files.write(measured, args.out)
  if args.json:
    print(json.dumps(content))
    return
  _print(measured, content)
  written = ", ".join(calibration_files.names(measured))
  print(f"Written to {args.out}: {written}.")


def _check(args: argparse.Namespace) -> None:
  """Raise a UserError for flags that do not fit together."""
  refuse(args, calibrate_resolutions.OWN, owner="a run (--workdir)")
  exposures = [args.pairs, args.flats, args.frames, args.image]
  measured = any(x is not None for x in exposures)
  if not (measured or args.header or args.darks):
    raise UserError(f"expected one of {NEEDED}.")
  if args.out is None:
    raise UserError("--out: expected an output folder.")
  if args.gain and measured:
    raise UserError(
      f"--gain={args.gain:g}: expected --darks or --header; exposures measure"
      " the gain."
    )
  if args.darks and args.black is not None:
    raise UserError(
      f"--black={args.black:g} and --darks={args.darks}: expected one of them."
    )
  if args.white is not None and args.white <= (args.black or 0.0):
    raise UserError(
      f"--white={args.white:g}: expected above black, {args.black or 0.0:g}."
    )


def _print(measured: Measured, content: dict[str, Any]) -> None:
  found = measured.calibration
  rows = [
    ("gain", found.gain, found.gain_error, content["gain_unit"]),
    ("read noise", found.read_noise, found.read_noise_error, "electrons"),
    ("black", found.black, found.black_error, "DN"),
    ("white", content["white"], None, "DN"),
    ("chi-squared", found.chi_squared, None, "by degree of freedom"),
  ]
  for name, value, error, unit in rows:
    print(f"{name:12} {_text(value, error, unit=unit)}")
  for note in content["notes"]:
    print(f"note: {note}")
  for warning in found.warnings:
    print(f"warning: {warning}")


def _text(value: float | None, error: float | None, *, unit: str) -> str:
  """A number with its error and unit."""
  if value is None:
    return "unknown"
  within = "" if error is None else f" +- {error:.2g}"
  return f"{value:.5g}{within} {unit}"
