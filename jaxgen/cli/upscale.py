"""Enlarge images by a trained upscaler, or by a denoiser that draws detail.

  jaxgen upscale --workdir=runs/x2 --input=my_photos --out=large
  jaxgen upscale --workdir=runs/x2 --input=photo.png --out=large --consistent

Images may have any size: they are enlarged tile by tile, with the result of the
whole image, and with smaller tiles if one does not fit into memory. Files of 8
bits become PNGs, those of 16 bits TIFFs; opacity is kept, enlarged by bicubic
interpolation. Also writes compare.png: centers of the first images, enlarged by
bicubic interpolation and by the run.

With --consistent the result is changed as little as possible so that its
bicubic reduction is the input, up to the rounding of the pixels.

A denoiser of what small images lack (`configs/rocks_upscale_edm.py`) draws
detail instead, another for each --seed, with the flags of samplers. Its small
images are area averages; its results have 8 bits.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs, outputs, sampling_flags
from jaxgen.cli.output_folder import replacing

if TYPE_CHECKING:
  import pathlib
  from collections.abc import Callable

  import numpy as np

  from jaxgen.data.input_images import InputImage
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.upscaler import UpscalerRun

COMPARED = 8  # number of images in compare.png
SIDE = 160  # side of their centers in pixels
ALL = slice(None), slice(None)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser, batch=False)
  parser.add_argument(
    "--input", required=True, help="folder of images, or an image file"
  )
  parser.add_argument(
    "--consistent",
    action="store_true",
    help="project the result onto the images whose bicubic reduction is the"
    " input",
  )
  parser.add_argument(
    "--tile",
    type=flags.integer(16, 16_384),
    metavar="PIXELS",
    help="side of a tile of the input, without its overlap (default: 256)",
  )
  group = parser.add_argument_group("denoisers")
  flags.add_seed_flag(group, help="seed (default: 0)", default=None)
  sampling_flags.add_sampling_flags(group)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Upscale and write."""
  from jaxgen import pictures, progress
  from jaxgen.formats.png import write_png
  from jaxgen.sample.painted_upscaling import check_size
  from jaxgen.sample.upscaler import UpscalerRun

  sampling_flags.check_values(args)
  model = inputs.load_enlarger(args.workdir, args.checkpoint)
  enlarge = _enlargement(model, args)
  outputs.check_folder(args.out)
  images = inputs.read_images(model, args.input)
  if not isinstance(model, UpscalerRun):
    for image in images:
      check_size(model, image.size, name=image.name)
  names = outputs.file_names([x.name for x in images])
  rows = {"bicubic": [], "upscaled": []}
  pairs = list(zip(names, images, strict=True))
  with replacing(args.out, "upscale") as folder:
    for number, (name, image) in enumerate(progress.each("upscaling", pairs)):
      low = image.read()
      large = enlarge(low, number)
      _write(folder / name, large, image)
      if len(rows["bicubic"]) < COMPARED:
        for label, shown in zip(rows, _centers(low, large), strict=True):
          rows[label].append(shown)
    picture = pictures.labeled_rows(rows, most=SIDE)
    write_png(folder / "compare.png", picture)
  print(f"{len(images)} images and compare.png are in {args.out}.")


def _enlargement(
  model: UpscalerRun | DenoiserRun, args: argparse.Namespace
) -> Callable[[np.ndarray, int], np.ndarray]:
  """A function of an image and its number to the enlarged image.

  Raises:
    UserError: a flag is for the other kind of runs.
  """
  from jaxgen.sample.upscaler import UpscalerRun
  from jaxgen.sample.upscaling import TILE

  if isinstance(model, UpscalerRun):
    owner = "denoisers of residuals"
    sampling_flags.refuse(args, (*sampling_flags.SAMPLING, "seed"), owner=owner)
    tile = args.tile or TILE
    return lambda low, number: model.upscale(
      [low], tile=tile, consistent=args.consistent
    )[0]
  sampling_flags.refuse(args, ("tile", "consistent"), owner="task=upscale")
  options = sampling_flags.sampling_options(args)
  seed = args.seed or 0
  return lambda low, number: model.upscale(
    [low], seed=seed, first=number, **options
  )[0]


def _write(path: pathlib.Path, large: np.ndarray, image: InputImage) -> None:
  """Write an enlarged image with the opacity of the input."""
  import numpy as np
  from PIL import Image

  from jaxgen.errors import writing
  from jaxgen.formats import image_pixels, tiff
  from jaxgen.formats.atomic import replacing as writing_file

  alpha = image.read_alpha()
  if alpha is not None:
    bits = 8 * large.dtype.itemsize
    wide = _bicubic(image_pixels.to_bits(alpha, bits), large.shape)
    large = np.concatenate([large, wide], axis=-1)
  has_alpha, channels = alpha is not None, large.shape[-1]
  with writing(path):
    if large.dtype == np.uint8 and channels - has_alpha in (1, 3):
      pixels = large[..., 0] if channels == 1 else large
      with writing_file(path) as file:
        Image.fromarray(pixels).save(file, format="PNG")
    else:
      tiff.write(path.with_suffix(".tif"), large[None], alpha=has_alpha)


def _bicubic(
  image: np.ndarray, shape: tuple[int, ...], place: tuple[slice, slice] = ALL
) -> np.ndarray:
  """An image of integers at the size of another, or its part at a place."""
  import numpy as np

  from jaxgen import bicubic

  rows, columns = (
    bicubic.bands(old, new)[part]
    for old, new, part in zip(image.shape[:2], shape[:2], place, strict=True)
  )
  top = np.iinfo(image.dtype).max

  def plane(x: np.ndarray) -> np.ndarray:
    large = (columns @ (rows @ x).T).T
    return np.clip(np.rint(large), 0, top).astype(image.dtype)

  return np.stack([plane(x) for x in np.moveaxis(image, -1, 0)], axis=-1)


def _centers(low: np.ndarray, large: np.ndarray) -> list[np.ndarray]:
  """The centers of the bicubic and of the learned enlargement."""
  from jaxgen.images import visible

  top, left = (max(0, (n - SIDE) // 2) for n in large.shape[:2])
  place = slice(top, top + SIDE), slice(left, left + SIDE)
  return [visible(x) for x in (_bicubic(low, large.shape, place), large[place])]
