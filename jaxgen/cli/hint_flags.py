"""Flags of hints, and the images that they name."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.cli import flags, inputs
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.cli.flags import Group
  from jaxgen.data.input_tiles import Cutting, TiledImage
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.options import SamplingKeywords

Size = tuple[int, int]  # height, width
HINTS = ("hint", "hint_noise", "control_scale")
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
  group.add_argument(
    "--control_scale",
    type=float,
    help="factor of what a ControlNet adds to its base, 0 to 2 (default: 1)",
  )


def add_to(
  options: SamplingKeywords,
  model: DenoiserRun,
  args: argparse.Namespace,
  *,
  num: int,
  drawn: bool = False,
) -> None:
  """Add the hints of `num` tiles to sampling options.

  Args:
    options: the options, which are changed.
    model: the run.
    args: --hint, --hint_noise and --control_scale.
    num: number of images.
    drawn: whether the run draws hints itself if none are given.

  Raises:
    UserError: the run has no hints, or needs one.
  """
  _check_known(model, args)
  if args.hint is not None:
    options["hint"] = read_hints(model, args, num)
  elif not drawn:
    _check_absent(model, args)
  _add_numbers(options, args)


def _add_numbers(options: SamplingKeywords, args: argparse.Namespace) -> None:
  if args.hint_noise is not None:
    options["hint_noise"] = args.hint_noise
  if args.control_scale is not None:
    options["control_scale"] = args.control_scale


def add_sized(
  options: SamplingKeywords,
  model: DenoiserRun,
  args: argparse.Namespace,
  sizes: Sequence[Size],
) -> list[np.ndarray]:
  """The hints of images of each (height, width), none without --hint; the noise
  on them is added to sampling options.

  Raises:
    UserError: as of `add_to`.
  """
  _check_known(model, args)
  if args.hint is None:
    _check_absent(model, args)
  _add_numbers(options, args)
  return [] if args.hint is None else read_sized(model, args, sizes)


def _check_known(model: DenoiserRun, args: argparse.Namespace) -> None:
  """Raise a UserError if a run has no hints."""
  for flag in HINTS:
    value = getattr(args, flag)
    if value is not None and model.task.hint is None:
      raise UserError(f"--{flag}={value}: this run has no hint (hint.kind).")
  if args.control_scale is not None and model.experiment.task != "control":
    raise UserError(
      f"--control_scale={args.control_scale}: expected a ControlNet"
      " (task=control)."
    )


def read_hints(
  model: DenoiserRun, args: argparse.Namespace, num: int
) -> np.ndarray:
  """The images or masks of --hint, in turn, `num` in all, as tiles."""
  import numpy as np

  side = model.resolution
  return np.stack(read_sized(model, args, [(side, side)] * num))


def read_sized(
  model: DenoiserRun, args: argparse.Namespace, sizes: Sequence[Size]
) -> list[np.ndarray]:
  """The images or masks of --hint, in turn, one of each (height, width): their
  center squares where that is a square.

  Raises:
    UserError: there are none, or they have other proportions.
  """
  assert model.task.hint is not None
  field, num = model.task.hint.field, len(sizes)
  if args.hint == HELD_OUT:
    found = list(model.tiles(HELD_OUT, num)[field])
  elif field == "mask":
    found = _read_masks(pathlib.Path(args.hint), num)
  else:
    tile = model.resolution, model.resolution
    cutting = "fit" if set(sizes) <= {tile} else "tiled"
    images = _read_images(model, args, field, cutting)
    found = [x.image.read() for x in images[:num]]
  return [
    _sized(found[i % len(found)], size, path=args.hint)
    for i, size in enumerate(sizes)
  ]


def _check_absent(model: DenoiserRun, args: argparse.Namespace) -> None:
  """Raise a UserError if a run or a flag needs hints."""
  from jaxgen.sample.hints import needs_hint

  for flag in HINTS[1:]:
    value = getattr(args, flag)
    if value is not None:
      raise UserError(f"--{flag}={value}: expected --hint, too.")
  if needs_hint(model):
    kind = model.experiment.hint.kind
    raise UserError(f"--hint: expected images for this run (hint.kind={kind}).")


def _read_images(
  model: DenoiserRun, args: argparse.Namespace, field: str, cutting: Cutting
) -> list[TiledImage]:
  """The images of --hint, read as training images or as those of data.hints;
  prints how they are cut."""
  from jaxgen.data import input_images, input_tiles

  data = model.experiment.data
  if field == "image":
    return inputs.read_tiles(model, args, path=args.hint, cutting=cutting)
  reading = input_images.Reading(channels=data.hint_channels)
  tiles = input_tiles.cut_images(
    input_images.list_inputs(args.hint, reading),
    data,
    side=model.resolution,
    cutting=cutting,
    upsample=args.upsample,
  )
  print("\n".join(input_tiles.describe(tiles)), flush=True)
  return tiles


def _sized(x: np.ndarray, size: Size, *, path: str) -> np.ndarray:
  """An image or a mask at another size.

  Raises:
    UserError: it has other proportions.
  """
  import numpy as np

  from jaxgen.data.resize import center_square, resize_labels_to, resize_to

  height, width = size
  if height == width:
    x = center_square(x)
  elif abs(x.shape[1] * height / x.shape[0] - width) > 1:
    raise UserError(
      f"--hint={path}: expected the proportions of the image, {width} x"
      f" {height}, got {x.shape[1]} x {x.shape[0]}."
    )
  if x.ndim == 2:
    return resize_labels_to(x, height, width)
  return resize_to(np.ascontiguousarray(x), height, width)


def _read_masks(path: pathlib.Path, num: int) -> list[np.ndarray]:
  """The masks of a folder, at most `num`, or of a file; black and white ones
  are read as 0 and 1."""
  import numpy as np

  from jaxgen.formats.image_files import list_images

  files = list_images(path) if path.is_dir() else [path]
  if not files or not files[0].is_file():
    raise UserError(f"--hint={path}: expected a folder of masks, or a file.")
  masks = [_labels(x) for x in files]
  if all(set(np.unique(x)) <= {0, 255} for x in masks):
    masks = [np.minimum(x, 1) for x in masks]
  return masks[:num]


def _labels(path: pathlib.Path) -> np.ndarray:
  from jaxgen.formats.image_files import read_labels, reason

  try:
    return read_labels(str(path))
  except Exception as e:  # any of PIL's
    raise UserError(f"--hint={path}: expected a mask ({reason(e)}).") from e
