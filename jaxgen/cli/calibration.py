"""The measurements of `calibrate`: from flags to a calibration."""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np

from jaxgen.cli import calibration_header
from jaxgen.cli import calibration_inputs as inputs
from jaxgen.cli.calibration_inputs import Exposures
from jaxgen.cli.calibration_result import DarkPlanes, Measured, white_level
from jaxgen.errors import UserError
from jaxgen.restoration import calibration, darks, single_image, transfer_bins
from jaxgen.restoration.photon_transfer import Transfer, photon_transfer

REPEATED = "photon transfer of exposures of one scene"
FLATS = "photon transfer of flats"
SINGLE = "single image"
GUESS = (
  "a guess from a single image: the gain of photographs of up to 20 electrons"
  " in their brightest parts is right within 6 %, that of dark micrographs"
  " within 45 %; texture passes for noise, which makes it too large with no"
  " sign of it; two exposures or flats measure it"
)


def measure(args: argparse.Namespace) -> Measured:
  """Measure what the flags say.

  Raises:
    UserError: files cannot be read or used, or the levels are of no camera.
  """
  found = _measure(args)
  known = found.calibration
  if not known.white > known.black:
    raise UserError(
      f"white={known.white:g} DN: expected above black, {known.black:g} DN."
    )
  return found


def _measure(args: argparse.Namespace) -> Measured:
  dark = _darks(args)
  if args.header:
    return calibration_header.measure(args, dark)
  if args.image:
    return _by_image(args, dark)
  if args.pairs or args.flats or args.frames:
    return _by_transfer(args, dark)
  assert dark
  known = calibration.from_darks(
    dark.found,
    gain=args.gain,
    white=white_level(args, dark.exposures.white),
    rounded=dark.exposures.rounded,
  )
  return Measured(calibration=known, notes=dark.exposures.notes, dark=dark)


def _darks(args: argparse.Namespace) -> DarkPlanes | None:
  if args.darks is None:
    return None
  exposures = inputs.of_darks(args.darks)
  try:
    found = darks.measure(np.concatenate(exposures.scenes, axis=2))
  except ValueError as e:
    raise UserError(f"{exposures.flag}: {e}.") from e
  return DarkPlanes(found, exposures)


def _by_transfer(args: argparse.Namespace, dark: DarkPlanes | None) -> Measured:
  exposures, method = _repeated(args)
  white = white_level(args, exposures.white)
  scenes = [
    transfer_bins.scene(x, white=white, floor=exposures.floor)
    for x in exposures.scenes
  ]
  _check_seen(exposures, scenes)
  black = _black(args, exposures, dark)
  bins = dark.found.bins if dark else None
  try:
    line = photon_transfer(scenes, darks=bins, black=black)
  except ValueError as e:
    raise UserError(f"{exposures.flag}: {e}.") from e
  return _measured(
    line, exposures, method=method, black=black, white=white, dark=dark
  )


def _repeated(args: argparse.Namespace) -> tuple[Exposures, str]:
  if args.pairs:
    return inputs.of_pairs(args.pairs), REPEATED
  if args.frames:
    return inputs.of_frames(args.frames), REPEATED
  return inputs.of_flats(args.flats), FLATS


def _check_seen(
  exposures: Exposures, scenes: list[transfer_bins.Scene]
) -> None:
  """Raise a UserError if no pixels are left between floor and white."""
  if any(len(x.means) for x in scenes):
    return
  clipped = max(x.clipped for x in scenes)
  why = (
    f"{clipped:.0%} of the pixels are at the white level, or at the lowest"
    " value of their type"
    if clipped
    else "too few pixels are numbers"
  )
  raise UserError(
    f"{exposures.flag}: expected exposures that are not clipped: {why}."
  )


def _by_image(args: argparse.Namespace, dark: DarkPlanes | None) -> Measured:
  exposures = inputs.of_image(args.image)
  planes = [x[0].astype(np.float64) for x in exposures.scenes]
  white, black = (
    white_level(args, exposures.white),
    _black(args, exposures, dark),
  )
  try:
    line = single_image.transfer(planes, white=white, black=black)
  except ValueError as e:
    raise UserError(f"{exposures.flag}: {e}.") from e
  found = _measured(
    line, exposures, method=SINGLE, black=black, white=white, dark=dark
  )
  electrons = single_image.electrons(planes, line)
  most = single_image.MOST_ELECTRONS
  if electrons > most:
    raise UserError(
      f"{exposures.flag}: expected at most {most:g} electrons in the brightest"
      f" parts, got about {electrons:.3g}: a single image does not tell noise"
      " from texture there; take two exposures (--pairs) or flats."
    )
  warned = (GUESS, *found.calibration.warnings)
  known = dataclasses.replace(found.calibration, warnings=warned)
  return dataclasses.replace(found, calibration=known)


def _measured(
  line: Transfer,
  exposures: Exposures,
  *,
  method: str,
  black: float | None,
  white: float,
  dark: DarkPlanes | None,
) -> Measured:
  try:
    found = calibration.from_transfer(
      line,
      method=method,
      black=black,
      white=white,
      rounded=exposures.rounded,
      darks=dark.found if dark else None,
    )
  except ValueError as e:
    raise UserError(f"{exposures.flag}: {e}.") from e
  return Measured(
    calibration=found, notes=exposures.notes, line=line, dark=dark
  )


def _black(
  args: argparse.Namespace, exposures: Exposures, dark: DarkPlanes | None
) -> float | None:
  if dark:
    return dark.found.black
  return exposures.black if args.black is None else args.black
