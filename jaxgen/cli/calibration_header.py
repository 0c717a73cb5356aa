"""The measurement of `calibrate` by the header of a FITS file."""

from __future__ import annotations

import argparse
import dataclasses

from jaxgen.cli import calibration_inputs as inputs
from jaxgen.cli.calibration_result import DarkPlanes, Measured, white_level
from jaxgen.errors import UserError
from jaxgen.restoration import calibration
from jaxgen.restoration.calibration import Calibration

NO_BLACK = "the black level is not stated: 0 is taken (--black sets it)"


def measure(args: argparse.Namespace, dark: DarkPlanes | None) -> Measured:
  """Read what the header states, or, with darks, its gain alone."""
  flag = f"--header={args.header}"
  words = inputs.header_words(args.header, args.gain)
  gain = words.gain
  if gain is None:
    raise UserError(f"{flag}: no GAIN or EGAIN in the header: set --gain.")
  white = white_level(args, words.white)
  if dark:
    known = calibration.from_darks(
      dark.found, gain=gain, white=white, rounded=dark.exposures.rounded
    )
    known = dataclasses.replace(known, method="header and darks")
    return Measured(calibration=known, notes=words.notes, dark=dark)
  if words.read_noise is None:
    raise UserError(
      f"{flag}: no RDNOISE, READNOIS, RON or ENOISE in the header: --darks tell"
      " the read noise."
    )
  black = args.black if args.black is not None else words.black
  known = Calibration(
    method="header",
    gain=gain,
    read_noise=words.read_noise,
    black=black or 0.0,
    white=white,
    warnings=(NO_BLACK,) if black is None else (),
  )
  return Measured(calibration=known, notes=words.notes)
