"""Opening of runs and images specified by flags."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.cli.outputs import make_folder
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.sample.autoencoder import AutoencoderRun
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.run import LoadedRun


def open_run(
  args: argparse.Namespace, out: pathlib.Path | None = None
) -> AutoencoderRun | DenoiserRun:
  """The run specified by the flags, after a check that results can be written
  to the folder `out`, by default --out."""
  from jaxgen.sample.load import load

  run = load(args.workdir, args.checkpoint)
  make_folder(out or args.out)
  return run


def open_autoencoder(
  args: argparse.Namespace, out: pathlib.Path | None = None
) -> AutoencoderRun:
  """The autoencoder run specified by the flags."""
  from jaxgen.sample.autoencoder import AutoencoderRun

  run = open_run(args, out)
  if not isinstance(run, AutoencoderRun):
    raise UserError(
      f"--workdir={args.workdir}: expected a run of an autoencoder, got "
      f"task={run.experiment.task}."
    )
  return run


def open_denoiser(args: argparse.Namespace) -> DenoiserRun:
  """The denoiser run specified by the flags."""
  from jaxgen.sample.denoiser import DenoiserRun

  run = open_run(args)
  if not isinstance(run, DenoiserRun):
    raise UserError(
      f"--workdir={args.workdir}: expected a run of a denoiser, got "
      f"task={run.experiment.task}."
    )
  return run


def read_images(
  run: LoadedRun, path: str, *, upsample: bool
) -> tuple[list[str], np.ndarray]:
  """The names and images of a folder or a file, at the run's size and read as
  its training data were."""
  from jaxgen.data.input_images import load_images

  side, _, channels = run.image_shape
  return load_images(
    path,
    resolution=side,
    channels=channels,
    upsample=upsample,
    value_range=run.experiment.data.value_range,
  )


def image_files(path: str, names: Sequence[str]) -> list[pathlib.Path]:
  """The files of the images that `read_images` has named."""
  root = pathlib.Path(path)
  return [root] if root.is_file() else [root / name for name in names]
