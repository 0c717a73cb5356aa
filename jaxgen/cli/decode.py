"""Decode latents from an .npz file to images.

  jaxgen decode --workdir=runs/demo --latents=latents.npz --out=decoded

Takes what `jaxgen encode` writes: `latents`, and `names` where there are any.
"""

from __future__ import annotations

import argparse
import pathlib

from jaxgen.cli import common
from jaxgen.errors import UserError


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  common.add_run_flags(parser)
  parser.add_argument(
    "--latents", required=True, type=pathlib.Path, help="an .npz file"
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Decode and write."""
  latents, names = _read(args.latents)
  images = common.open_run(args).decode(latents, batch=args.batch)
  names = names or [f"{i:05}" for i in range(len(images))]
  common.write_images(args.out, names, images)


def _read(path: pathlib.Path):
  import numpy as np

  try:
    with np.load(path, allow_pickle=False) as file:
      latents = file["latents"]
      names = [str(x) for x in file["names"]] if "names" in file else []
  except (OSError, ValueError, KeyError, EOFError) as e:
    raise UserError(
      f"--latents={path}: not an .npz file with an array `latents` ({e})."
    ) from e
  return latents, names if len(names) == len(latents) else []
