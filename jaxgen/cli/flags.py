"""Flags shared by several verbs, and types of flag values."""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import re
import reprlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jaxgen.formats import addresses

if TYPE_CHECKING:
  Group = argparse._ActionsContainer  # a parser, or a group of its flags

T = TypeVar("T")
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
MAX_SEED = 2**32 - 1
MAX_INTEGER = 2**31 - 1  # of a flag without another maximum
MAX_BYTES = 2**63


def integer(low: int, high: int = MAX_INTEGER) -> Callable[[str], int]:
  """The type of a flag for integers in a range."""

  def parse(text: str) -> int:
    try:
      value = int(text)
    except ValueError:
      value = None
    if value is None or not low <= value <= high:
      is_small = high == MAX_INTEGER and (value is None or value < low)
      span = f">= {low}" if is_small else f"in [{low}, {high}]"
      raise argparse.ArgumentTypeError(
        f"expected an integer {span}, got {reprlib.repr(text)}"
      )
    return value

  return parse


def number(*, above: float = -math.inf) -> Callable[[str], float]:
  """The type of a flag for finite numbers above a bound."""

  def parse(text: str) -> float:
    try:
      value = float(text)
    except ValueError:
      value = math.nan
    if not (math.isfinite(value) and value > above):
      span = f" above {above:g}" if math.isfinite(above) else ""
      raise argparse.ArgumentTypeError(
        f"expected a number{span}, got {reprlib.repr(text)}"
      )
    return value

  return parse


def values(one: Callable[[str], T]) -> Callable[[str], list[T]]:
  """The type of a flag for values of a type, separated by commas."""
  return lambda text: [one(x) for x in text.split(",")]


def byte_size(text: str) -> int:
  """The type of a flag for a number of bytes, such as 16GiB."""
  parts = re.fullmatch(r"([0-9.]+)\s*([KMGT]iB)?", text)
  try:
    size = int(float(parts[1]) * UNITS[parts[2] or ""]) if parts else 0
  except (ValueError, OverflowError):
    size = 0
  if not 1 <= size < MAX_BYTES:
    raise argparse.ArgumentTypeError(
      f"expected a size like 16GiB, got {reprlib.repr(text)}"
    )
  return size


def window(text: str) -> tuple[int, int]:
  """The type of `--profile`: a number of a step, and a number of steps."""
  first, _, steps = text.partition(",")
  try:
    return integer(1)(first), integer(1)(steps)
  except argparse.ArgumentTypeError as e:
    raise argparse.ArgumentTypeError(
      f"expected FIRST,STEPS, two integers >= 1, got {reprlib.repr(text)}"
    ) from e


def as_flags(message: str, args: argparse.Namespace) -> str:
  """An error message whose leading arguments of functions, `a=1` or `a and b`
  before the first colon, are written as the flags that set them."""
  head, colon, rest = message.partition(":")
  names = head.split(" and ")
  given = {k for k, v in vars(args).items() if v not in (None, False)}
  if not {name.partition("=")[0] for name in names} <= given:
    return message
  return " and ".join(f"--{name}" for name in names) + colon + rest


def run_folder(text: str) -> str | pathlib.Path:
  """The type of a flag for a run: its folder, or an address of an object store
  as it is."""
  return (
    addresses.canonical(text)
    if addresses.store_of(text)
    else pathlib.Path(text)
  )


def add_run_flags(
  parser: argparse.ArgumentParser,
  *,
  out: str | None = "output folder",
  batch: bool = True,
) -> None:
  """Add the flags that specify a run and the output."""
  parser.add_argument(
    "--workdir", required=True, type=run_folder, help="the run's folder"
  )
  parser.add_argument(
    "--checkpoint",
    default="best",
    help="best (the default), latest, a step, or ema-SIGMA_REL",
  )
  if batch:
    add_batch_flag(parser)
  add_deterministic_flag(parser)
  if out:
    parser.add_argument("--out", required=True, type=pathlib.Path, help=out)


def add_config_flag(
  parser: argparse._ActionsContainer, *, required: bool = False
) -> None:
  """Add `--config`, to a parser or to a group of flags."""
  parser.add_argument(
    "--config",
    required=required,
    metavar="FILE.py[:variant]",
    help="config file, or the name of one of jaxgen's configs",
  )


def add_deterministic_flag(parser: argparse.ArgumentParser) -> None:
  """Add `--deterministic`, which takes effect by `set_deterministic`."""
  parser.add_argument(
    "--deterministic",
    action="store_true",
    help="make reruns bit-identical on a GPU (slower; CPU and TPU always are)",
  )


def set_deterministic() -> None:
  """Make programs on a GPU deterministic, in this process and those it starts;
  without effect once a device has been used."""
  given = os.environ.get("XLA_FLAGS", "")
  os.environ["XLA_FLAGS"] = f"{given} --xla_gpu_deterministic_ops=true".strip()


def add_verbose_flag(parser: argparse.ArgumentParser) -> None:
  """Add `--verbose`, which every verb has."""
  parser.add_argument(
    "--verbose",
    action="store_true",
    help="show all messages of JAX, XLA and other libraries",
  )


def add_profile_flag(parser: argparse.ArgumentParser, *, unit: str) -> None:
  """Add `--profile`; `unit` is what is profiled."""
  parser.add_argument(
    "--profile",
    type=window,
    metavar="FIRST,STEPS",
    help=f"trace this many {unit} with JAX's profiler, from number FIRST on "
    "(number 1, the first of this call, may compile)",
  )


def add_batch_flag(parser: argparse.ArgumentParser) -> None:
  """Add `--batch`."""
  parser.add_argument(
    "--batch",
    type=integer(1),
    default=64,
    help="images per batch (default: 64)",
  )


def add_seed_flag(group: Group, *, help: str, default: int | None = 0) -> None:
  """Add `--seed`."""
  group.add_argument(
    "--seed", type=integer(0, MAX_SEED), default=default, help=help
  )


def add_input_flag(
  parser: argparse.ArgumentParser, *, required: bool = False
) -> None:
  """Add `--input`, for the user's images, and how they are cut."""
  parser.add_argument(
    "--input", required=required, help="folder of images, or an image file"
  )
  cutting = parser.add_mutually_exclusive_group()
  cutting.add_argument(
    "--tiled",
    action="store_true",
    help="cut images into overlapping windows at the scale of training (the"
    " default of runs trained on crops)",
  )
  cutting.add_argument(
    "--fit",
    action="store_true",
    help="resize the center square of each image to one tile (the default of"
    " runs trained with data.crop=whole)",
  )
  add_upsample_flag(parser)


def add_upsample_flag(group: Group) -> None:
  """Add `--upsample`."""
  group.add_argument(
    "--upsample",
    action="store_true",
    help="allow images smaller than a tile of the run",
  )


def add_features_flags(group: Group) -> None:
  """Add the flags that select the feature extractor."""
  group.add_argument(
    "--features",
    default="vgg16",
    choices=("vgg16", "alexnet", "inception"),
    help="feature extractor (default: vgg16)",
  )
  group.add_argument(
    "--inception_weights",
    metavar="FILE.pth",
    help="weights of Inception v3 for FID (pt_inception-2015-12-05)",
  )
