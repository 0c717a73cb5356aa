"""What several verbs share: loading a run, reading and writing images."""

from __future__ import annotations

import argparse
import math
import pathlib
import re
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.sample.autoencoder import Autoencoder
  from jaxgen.sample.run import LoadedRun

IN_GRID = 256  # pixels of an enlarged image there
GRID = 64  # images at most in grid.png
UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
SUMMARIES = ("grid", "compare")  # names that images of the user cannot have


def whole(low: int, high: float = math.inf) -> Callable[[str], int]:
  """The type of a flag that takes whole numbers in a range."""

  def number(text: str) -> int:
    try:
      value = int(text)
    except ValueError:
      value = None
    if value is None or not low <= value <= high:
      span = f">= {low}" if high == math.inf else f"in [{low}, {high}]"
      raise argparse.ArgumentTypeError(
        f"expected an integer {span}, got {text!r}"
      )
    return value

  return number


def size(text: str) -> int:
  """Bytes, as in 16GiB; the type of a flag."""
  found = re.fullmatch(r"([0-9.]+)\s*([KMGT]iB)?", text)
  try:
    bytes_ = int(float(found[1]) * UNITS[found[2] or ""]) if found else 0
  except ValueError:
    bytes_ = 0
  if bytes_ < 1:
    raise argparse.ArgumentTypeError(f"{text}: a size like 16GiB is needed")
  return bytes_


def add_run_flags(
  parser: argparse.ArgumentParser,
  *,
  out: str | None = "a folder",
  batch: bool = True,
) -> None:
  """The flags that name a run and where results go."""
  parser.add_argument(
    "--workdir", required=True, type=pathlib.Path, help="the run's folder"
  )
  parser.add_argument(
    "--checkpoint",
    default="best",
    help="best (the default), latest, a step, or ema-SIGMA_REL",
  )
  if batch:
    parser.add_argument(
      "--batch",
      type=whole(1),
      default=64,
      help="images at a time (default: 64)",
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


def add_features_flags(group: Any) -> None:
  """Which network's features are compared."""
  group.add_argument(
    "--features",
    default="vgg16",
    choices=("vgg16", "alexnet", "inception"),
    help="the network whose features are compared (default: vgg16)",
  )
  group.add_argument(
    "--inception_weights",
    metavar="FILE.pth",
    help="of Inception v3 for FID (pt_inception-2015-12-05), which you have",
  )


def open_run(args: argparse.Namespace, out: pathlib.Path | None = None) -> Any:
  """The run that the flags name, once it is known that results can be kept in
  the folder `out` (default: --out)."""
  from jaxgen.sample.load import load

  run = load(args.workdir, args.checkpoint)
  make_folder(out or args.out)
  return run


def open_autoencoder(
  args: argparse.Namespace, out: pathlib.Path | None = None
) -> Autoencoder:
  """`open_run` for the verbs that need latents."""
  run = open_run(args, out)
  if not run.task.draws_latents:
    raise UserError(
      f"--workdir={args.workdir} is a run of {run.experiment.task}, which "
      "has no latents: name a run of an autoencoder."
    )
  return run


def make_folder(path: pathlib.Path) -> None:
  """Make a folder for results, or say at once that they cannot be kept."""
  try:
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
      pass
  except (OSError, ValueError) as e:
    reason = getattr(e, "strerror", None) or e
    raise UserError(
      f"{path} cannot be written to ({reason}): name another --out."
    ) from e


def read_images(
  run: LoadedRun, args: argparse.Namespace, path: str | None = None
) -> tuple[list[str], np.ndarray]:
  """Names and uint8 images of `--input`, or of another path, at run size."""
  from jaxgen.data.input_images import load_images

  side, _, channels = run.image_shape
  return load_images(
    args.input if path is None else path,
    resolution=side,
    channels=channels,
    upsample=args.upsample,
  )


def write_images(
  out: pathlib.Path,
  names: list[str],
  images: np.ndarray,
  side: int | None = None,
  method: str = "lanczos",
) -> None:
  """One PNG for each image and `grid.png` of the first ones, resampled to
  `side` pixels (in the grid at most to `IN_GRID`)."""
  import numpy as np

  from jaxgen.formats.png import write_png
  from jaxgen.images import image_grid

  for name, image in zip(file_names(names), images, strict=True):
    write_png(out / name, resample(image, side, method) if side else image)
  least = min(side or IN_GRID, max(IN_GRID, images.shape[1]))
  shown = images[:GRID]
  if side:
    shown = np.stack([resample(image, least, method) for image in shown])
  write_png(out / "grid.png", image_grid(shown))
  print(f"{len(images)} images and grid.png are in {out}.")


def file_names(names: list[str]) -> list[str]:
  """PNG names after the images' own, below one folder and all different."""
  outside = ("/", "..")
  paths = [pathlib.PurePosixPath(n.replace("\0", "")) for n in names]
  inside = ["/".join(x for x in p.parts if x not in outside) for p in paths]
  stems = [n and str(pathlib.PurePosixPath(n).with_suffix("")) for n in inside]
  last = [n.rpartition("/")[2] for n in inside]
  numbered = [f"{i:05} {n}" for i, n in enumerate(last)]
  taken = {*SUMMARIES, ""}
  different = lambda x: len({*x, *taken}) == len(x) + len(taken)  # noqa: E731
  found = next(filter(different, (stems, inside, numbered)))
  return [f"{n}.png" for n in found]


def resample(image: np.ndarray, side: int, method: str) -> np.ndarray:
  """An image uint8 `(h, w, c)` resampled to `side` pixels, by Pillow."""
  import numpy as np
  from PIL import Image

  kernel = Image.Resampling[method.upper()]
  squeezed = image[..., 0] if image.shape[-1] == 1 else image
  resized = Image.fromarray(squeezed).resize((side, side), kernel)
  return np.asarray(resized).reshape(side, side, -1)
