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

With --max_seconds, --max_memory or --preference the resolution is chosen by the
run's table of measured restorations, see `jaxgen calibrate --workdir`. The loss
against the best resolution is stated. The standard deviation is then that of
the summed pixels: it does not include what these cannot show.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.cli import inputs, restore_flags, sampling_flags

if TYPE_CHECKING:
  from jaxgen.cli.given_camera import Given
  from jaxgen.cli.restored_report import File

add_flags = restore_flags.add_flags


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Restore, write, and print how the results agree with the counts."""
  restore_flags.check_camera(args)
  options = restore_flags.options(args)
  from jaxgen.cli import restored_files

  camera = _camera(args)
  paths = restored_files.find(args.input)
  model = inputs.open_denoiser(args)
  options["conditions"] = sampling_flags.requested_conditions(model, rest)
  files = restored_files.restore(
    model,
    paths,
    camera,
    options=options,
    out=args.out,
    command=args.command,
  )
  _print(files)
  print(f"Results, report.html and restored.png are in {args.out}.")


def _print(files: Sequence[File]) -> None:
  """Print numbers by image, and each warning once."""
  from jaxgen.cli import chosen_resolution

  said: dict[str, None] = {}
  for file in files:
    chosen = chosen_resolution.text(file.facts)
    if chosen:
      print(f"{file.facts['input']}  resolution: {chosen}")
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
