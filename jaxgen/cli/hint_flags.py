"""Flags of hints, and the images that they name."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.cli.flags import Group
  from jaxgen.data.input_tiles import TiledImage
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.options import SamplingKeywords

HINTS = ("hint", "hint_noise")
HELD_OUT = "validation"


def add_hint_flags(group: Group) -> None:
  """Add the flags of verbs that sample with hints."""
  group.add_argument(
    "--hint",
    metavar=f"PATH|{HELD_OUT}",
    help="images that hints are made of as in training (of runs with hint.kind;"
    " with segments, masks; with image, hints): a folder, a file, or held-out"
    " tiles of the run; used in turn",
  )
  group.add_argument(
    "--hint_noise",
    type=flags.number(above=0),
    help="standard deviation of noise on hints, up to the run's hint.noise"
    " (default: 0)",
  )


def add_to(
  options: SamplingKeywords,
  model: DenoiserRun,
  args: argparse.Namespace,
  *,
  num: int,
  drawn: bool = False,
) -> None:
  """Add the hints of `num` images to sampling options.

  Args:
    options: the options, which are changed.
    model: the run.
    args: --hint and --hint_noise.
    num: number of images.
    drawn: whether the run draws hints itself if none are given.

  Raises:
    UserError: the run has no hints, or needs one.
  """
  for flag in HINTS:
    value = getattr(args, flag)
    if value is not None and model.task.hint is None:
      raise UserError(f"--{flag}={value}: this run has no hint (hint.kind).")
  if args.hint is not None:
    options["hint"] = read_hints(model, args, num)
  elif not drawn:
    _check_absent(model, args)
  if args.hint_noise is not None:
    options["hint_noise"] = args.hint_noise


def read_hints(
  model: DenoiserRun, args: argparse.Namespace, num: int
) -> np.ndarray:
  """The images or masks of --hint, in turn, `num` in all."""
  import numpy as np

  assert model.task.hint is not None
  field = model.task.hint.field
  if args.hint == HELD_OUT:
    found = model.tiles(HELD_OUT, num)[field]
  elif field == "hint":
    found = np.stack([x.read() for x in _read_images(model, args)[:num]])
  elif field == "image":
    tiles = inputs.read_tiles(model, args, path=args.hint, cutting="fit")
    found = np.stack([x.read() for x in tiles[:num]])
  else:
    found = _read_masks(model, pathlib.Path(args.hint))
  return found[np.arange(num) % len(found)]


def _check_absent(model: DenoiserRun, args: argparse.Namespace) -> None:
  """Raise a UserError if a run or a flag needs hints."""
  from jaxgen.sample.hints import needs_hint

  if args.hint_noise is not None:
    raise UserError(f"--hint_noise={args.hint_noise}: expected --hint, too.")
  if needs_hint(model):
    kind = model.experiment.hint.kind
    raise UserError(f"--hint: expected images for this run (hint.kind={kind}).")


def _read_images(
  model: DenoiserRun, args: argparse.Namespace
) -> list[TiledImage]:
  """The images of --hint as those of data.hints, their center squares."""
  from jaxgen.data import input_images, input_tiles
  from jaxgen.data.files import hints

  data = model.experiment.data
  reading = input_images.Reading(channels=data.hint_channels, bits=hints.BITS)
  tiles = input_tiles.cut_images(
    input_images.list_inputs(args.hint, reading),
    data,
    side=model.resolution,
    cutting="fit",
    upsample=args.upsample,
  )
  print("\n".join(input_tiles.describe(tiles)), flush=True)
  return tiles


def _read_masks(model: DenoiserRun, path: pathlib.Path) -> np.ndarray:
  """The masks of a folder or a file, their center squares at a tile's size;
  black and white ones are read as 0 and 1."""
  import numpy as np

  from jaxgen.data.resize import center_square, resize_labels_to
  from jaxgen.formats.image_files import list_images

  files = list_images(path) if path.is_dir() else [path]
  if not files or not files[0].is_file():
    raise UserError(f"--hint={path}: expected a folder of masks, or a file.")
  side = model.resolution
  masks = np.stack(
    [resize_labels_to(center_square(_labels(x)), side, side) for x in files]
  )
  return np.minimum(masks, 1) if set(np.unique(masks)) <= {0, 255} else masks


def _labels(path: pathlib.Path) -> np.ndarray:
  from jaxgen.formats.image_files import read_labels, reason

  try:
    return read_labels(str(path))
  except Exception as e:  # any of PIL's
    raise UserError(f"--hint={path}: expected a mask ({reason(e)}).") from e
