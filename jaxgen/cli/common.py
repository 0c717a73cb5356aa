"""What several verbs share: loading a run, reading and writing images."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.sample.load import LoadedRun

GRID = 64  # images at most in grid.png


def add_run_flags(
  parser: argparse.ArgumentParser, *, out: str | None = "a folder"
) -> None:
  """The flags that name a run and where results go."""
  parser.add_argument(
    "--workdir", required=True, type=pathlib.Path, help="the run's folder"
  )
  parser.add_argument(
    "--checkpoint", default="best", help="best (the default), latest, or a step"
  )
  parser.add_argument(
    "--batch", type=int, default=64, help="images at a time (default: 64)"
  )
  if out:
    parser.add_argument("--out", required=True, type=pathlib.Path, help=out)


def add_input_flag(parser: argparse.ArgumentParser, **options) -> None:
  """`--input`: the user's images."""
  parser.add_argument(
    "--input",
    help="a folder of images, or one image; the middle square is resized",
    **options,
  )
  parser.add_argument(
    "--upsample", action="store_true", help="allow images smaller than the run"
  )


def open_run(args: argparse.Namespace) -> LoadedRun:
  """The run that the flags name."""
  from jaxgen.sample.load import load

  return load(args.workdir, args.checkpoint)


def read_images(
  run: LoadedRun, args: argparse.Namespace, path: str | None = None
) -> tuple[list[str], np.ndarray]:
  """Names and uint8 images of `--input`, or of another path, at run size."""
  from jaxgen.data.images import load_images

  side, _, channels = run.image_shape
  return load_images(
    path or args.input,
    resolution=side,
    channels=channels,
    upsample=args.upsample,
  )


def write_images(
  out: pathlib.Path, names: list[str], images: np.ndarray
) -> None:
  """One PNG for each image and `grid.png` of the first ones."""
  from jaxgen.train.logging import grid, write_png

  for name, image in zip(file_names(names), images, strict=True):
    write_png(out / name, image)
  shown = images[:GRID]
  columns = max(1, round(len(shown) ** 0.5))
  rows = [shown[i : i + columns] for i in range(0, len(shown), columns)]
  if len(rows[-1]) < columns:
    rows = rows[:-1]
  write_png(out / "grid.png", grid(rows))
  print(f"{len(images)} images and grid.png are in {out}.")


def file_names(names: list[str]) -> list[str]:
  """PNG names after the images' own, below one folder and all different."""
  inside = [
    "/".join(x for x in pathlib.PurePosixPath(n).parts if x not in ("/", ".."))
    for n in names
  ]
  stems = [n.rpartition(".")[0] if "." in n else n for n in inside]
  unique = len(set(stems)) == len(stems)
  return [f"{n}.png" for n in (stems if unique else inside)]


def upsample(images: np.ndarray, side: int, method: str) -> np.ndarray:
  """Images uint8 `(n, h, w, c)` resampled to `side` pixels, by Pillow."""
  import numpy as np
  from PIL import Image

  if side < 1 or side > 16_384:
    raise UserError(f"--target_size={side}: from 1 to 16384 pixels.")
  kernel = Image.Resampling[method.upper()]
  squeezed = images[..., 0] if images.shape[-1] == 1 else images
  resized = [
    np.asarray(Image.fromarray(x).resize((side, side), kernel))
    for x in squeezed
  ]
  return np.stack(resized).reshape(len(images), side, side, -1)
