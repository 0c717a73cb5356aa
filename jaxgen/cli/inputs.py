"""Opening of runs and images specified by flags."""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

from jaxgen.cli.outputs import check_folder
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.data.input_images import InputImage
  from jaxgen.data.input_tiles import Cutting, TiledImage
  from jaxgen.sample.autoencoder import AutoencoderRun
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.painter import PainterRun
  from jaxgen.sample.run import LoadedRun
  from jaxgen.sample.upscaler import UpscalerRun

  Coder = AutoencoderRun | PainterRun  # encodes and decodes images


def open_run(
  args: argparse.Namespace, out: pathlib.Path | None = None
) -> AutoencoderRun | DenoiserRun | UpscalerRun:
  """The run specified by the flags, after a check that results can be written
  to the folder `out`, by default --out."""
  from jaxgen.sample.load import load

  run = load(args.workdir, args.checkpoint)
  check_folder(out or args.out)
  return run


def require_kind(
  run: LoadedRun, kinds: Any, expected: str, *, flag: str = "workdir"
) -> Any:
  """The run of a flag; raises a UserError unless it is of one of the kinds."""
  if not isinstance(run, kinds):
    raise UserError(
      f"--{flag}={run.workdir}: expected a run of {expected}, got"
      f" task={run.experiment.task}."
    )
  return run


def require_generator(run: LoadedRun) -> AutoencoderRun | DenoiserRun:
  """A run that draws images; raises a UserError for another."""
  from jaxgen.sample.autoencoder import AutoencoderRun
  from jaxgen.sample.denoiser import DenoiserRun

  kinds = AutoencoderRun | DenoiserRun
  return require_kind(run, kinds, "an autoencoder or a denoiser")


def open_coder(
  args: argparse.Namespace, out: pathlib.Path | None = None
) -> Coder:
  """The run of an autoencoder or a hybrid specified by the flags."""
  from jaxgen.sample.autoencoder import AutoencoderRun
  from jaxgen.sample.painter import PainterRun

  run = open_run(args, out)
  kinds = AutoencoderRun | PainterRun
  return require_kind(run, kinds, "an autoencoder or of a hybrid")


def load_upscaler(
  workdir: pathlib.Path, checkpoint: str = "best", *, flag: str = "workdir"
) -> UpscalerRun:
  """The run of an upscaler that a flag specifies."""
  from jaxgen.sample.load import load
  from jaxgen.sample.upscaler import UpscalerRun

  run = load(workdir, checkpoint)
  return require_kind(run, UpscalerRun, "an upscaler", flag=flag)


def load_enlarger(
  workdir: pathlib.Path, checkpoint: str
) -> UpscalerRun | DenoiserRun:
  """The run of --workdir: of an upscaler, or of a denoiser that paints what
  small images lack."""
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.load import load
  from jaxgen.sample.painted_upscaling import enlarges
  from jaxgen.sample.upscaler import UpscalerRun

  run = load(workdir, checkpoint)
  if isinstance(run, DenoiserRun) and enlarges(run.experiment):
    return run
  expected = "an upscaler, or of a denoiser of residuals with hint.kind=lowres"
  return require_kind(run, UpscalerRun, expected)


def open_denoiser(args: argparse.Namespace) -> DenoiserRun:
  """The denoiser run specified by the flags."""
  from jaxgen.sample.denoiser import DenoiserRun

  run = open_run(args)
  return require_kind(run, DenoiserRun, "a denoiser")


def read_tiles(
  run: LoadedRun,
  args: argparse.Namespace,
  *,
  path: str | None = None,
  cutting: Cutting | None = None,
  overlap: int | None = None,
) -> list[TiledImage]:
  """The images of --input, read as the run's training data were and cut into
  tiles at their scale; prints how.

  Args:
    run: the run.
    args: --input, --upsample and, if the verb has them, --tiled and --fit.
    path: a folder or a file instead of --input.
    cutting: instead of --tiled and --fit.
    overlap: minimum overlap of windows in pixels.
  """
  from jaxgen.data import input_images, input_tiles

  options = run.experiment.data
  reading = input_images.recorded_reading(run.workdir, options)
  tiles = input_tiles.cut_images(
    input_images.list_inputs(args.input if path is None else path, reading),
    options,
    side=run.resolution,
    cutting=cutting or _cutting(args) or input_tiles.default_cutting(options),
    upsample=args.upsample,
    overlap=overlap,
  )
  print("\n".join(input_tiles.describe(tiles)), flush=True)
  return tiles


def read_tile(
  run: LoadedRun, args: argparse.Namespace, path: str
) -> np.ndarray:
  """The center square of an image file as a single tile `(h, w, c)`."""
  tiles = read_tiles(run, args, path=path, cutting="fit")
  if len(tiles) != 1:
    raise UserError(f"{path}: expected one image, got {len(tiles)}.")
  return tiles[0].read()


def read_images(run: LoadedRun, path: str) -> list[InputImage]:
  """The images of a folder or a file, each with its own bits, as the run's
  images are read.

  Raises:
    UserError: there are none, or they have neither 8 nor 16 bits.
  """
  from jaxgen.data import input_images

  options = run.experiment.data
  if options.value_range:
    raise UserError(
      f"--input={path}: expected a run of images with 8 or 16 bits, got"
      f" data.value_range={options.value_range}."
    )
  reading = input_images.Reading(channels=options.channels, bits=16)
  found = input_images.list_inputs(path, reading)
  for image in found:
    if image.dtype not in ("uint8", "uint16"):
      raise UserError(
        f"{image.name}: expected 8 or 16 bits per value, got {image.dtype}."
      )
  eight = dataclasses.replace(reading, bits=8)
  return [
    dataclasses.replace(x, reading=eight) if x.dtype == "uint8" else x
    for x in found
  ]


def _cutting(args: argparse.Namespace) -> Cutting | None:
  return "tiled" if args.tiled else "fit" if args.fit else None
