"""Decode latents in an .npz file to images.

  jaxgen decode --workdir=runs/demo --latents=latents.npz --out=decoded

Reads the files of `jaxgen encode`: `latents` and optionally `names`. Latents of
windows are reassembled to images at their own size. A hybrid paints what its
autoencoder's images lack; --seed chooses the paint.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jaxgen.cli import flags, inputs, outputs, painting_flags
from jaxgen.cli.output_folder import replacing
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.cli.inputs import Coder
  from jaxgen.latents.windows import WindowedImage


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  parser.add_argument(
    "--latents", required=True, type=pathlib.Path, help=".npz file of latents"
  )
  painting_flags.add_painting_flags(parser)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Decode and write."""
  arrays = _read_arrays(args.latents)
  latents, names = arrays["latents"], _names(arrays)
  model = inputs.open_coder(args)
  options = painting_flags.painting_options(model, args)
  options["batch"] = args.batch
  if "windows" not in arrays:
    images = model.decode(latents, **options)
    channels = model.shown_channels
    outputs.save_images(args, names, images, verb="decode", channels=channels)
    return
  found = _windowed_images(args.latents, arrays, names, side=model.resolution)
  with replacing(args.out, "decode") as folder:
    images = _decoded(model, latents, found, **options)
    outputs.write_each(
      folder,
      [x.name for x in found],
      images,
      channels=model.shown_channels,
    )
  print(
    f"{len(found)} images, reassembled from {len(latents):,} windows, and"
    f" grid.png are in {args.out}."
  )


def _read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
  """The arrays in a file, with the latents among them."""
  from jaxgen.formats.npz import open_npz
  from jaxgen.latents.windows import ARRAYS

  if not path.is_file():
    raise UserError(f"--latents={path}: no such file.")
  try:
    with open_npz(path) as file:
      optional = [x for x in ("names", *ARRAYS) if x in file]
      return {x: file[x] for x in ("latents", *optional)}
  except Exception as e:  # numpy and zipfile raise many types
    raise UserError(
      f"--latents={path}: expected an .npz file with an array `latents` ({e})."
    ) from e


def _names(arrays: dict[str, np.ndarray]) -> list[str]:
  """A name of each latent, by default its number."""
  import numpy as np

  num = len(np.atleast_1d(arrays["latents"]))
  names = arrays.get("names", np.empty(0)).astype(str).tolist()
  return names if np.shape(names) == (num,) else [f"{i:05}" for i in range(num)]


def _windowed_images(
  path: pathlib.Path,
  arrays: dict[str, np.ndarray],
  names: Sequence[str],
  *,
  side: int,
) -> list[WindowedImage]:
  from jaxgen.latents import windows

  try:
    return windows.from_arrays(arrays, names, side)
  except (ValueError, KeyError) as e:
    raise UserError(f"--latents={path}: {e}.") from e


def _decoded(
  model: Coder,
  latents: np.ndarray,
  found: Sequence[WindowedImage],
  **options: Any,
) -> Iterator[np.ndarray]:
  """The images at their own sizes."""
  from jaxgen.data.resize import resize_to

  grids = [x.grid for x in found]
  images = model.decode_images(latents, grids, **options)
  for x, image in zip(found, images, strict=True):
    yield resize_to(image, *x.size)
