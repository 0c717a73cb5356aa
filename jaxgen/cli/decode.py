"""Decode latents in an .npz file to images.

  jaxgen decode --workdir=runs/demo --latents=latents.npz --out=decoded

Reads the files of `jaxgen encode`: `latents` and optionally `names`.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs, outputs
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  parser.add_argument(
    "--latents", required=True, type=pathlib.Path, help=".npz file of latents"
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Decode and write."""
  latents, names = _read_latents(args.latents)
  model = inputs.open_autoencoder(args)
  images = model.decode(latents, batch=args.batch)
  channels = model.shown_channels
  outputs.save_images(args, names, images, verb="decode", channels=channels)


def _read_latents(path: pathlib.Path) -> tuple[np.ndarray, list[str]]:
  """The latents in a file, and their names."""
  import numpy as np

  from jaxgen.formats.npz import open_npz

  if not path.is_file():
    raise UserError(f"--latents={path}: no such file.")
  try:
    with open_npz(path) as file:
      latents = np.asarray(file["latents"])
      names = file["names"].astype(str).tolist() if "names" in file else []
  except Exception as e:  # numpy and zipfile raise many types
    raise UserError(
      f"--latents={path}: expected an .npz file with an array `latents` ({e})."
    ) from e
  if np.shape(names) != latents.shape[:1]:
    names = [f"{i:05}" for i in range(len(np.atleast_1d(latents)))]
  return latents, names
