"""Output folders of images."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import tempfile
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jaxgen import progress
from jaxgen.cli.output_folder import replacing
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

GRID_SIDE = 256  # maximum side of an enlarged image in grid.png, in pixels
GRID = 64  # maximum number of images in grid.png
SUMMARIES = ("grid", "compare")  # reserved names


def check_folder(path: pathlib.Path) -> None:
  """Check that an output folder can be written to, before work for it; one that
  does not exist is left so.

  Raises:
    UserError: the folder cannot be written to.
  """
  new = [x for x in (path, *path.parents) if not x.exists()]
  try:
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
      pass
  except (OSError, ValueError) as e:
    reason = getattr(e, "strerror", None) or e
    raise UserError(
      f"{path} cannot be written to ({reason}): choose another --out."
    ) from e
  finally:
    with contextlib.suppress(OSError):  # another process writes there
      for folder in new:
        folder.rmdir()


def save_images(
  args: argparse.Namespace,
  names: Sequence[str],
  images: np.ndarray,
  *,
  verb: str,
  channels: Sequence[int] = (),
) -> None:
  """Write images to --out, in place of those of an earlier call of the verb."""
  with replacing(args.out, verb) as folder:
    write_images(folder, names, images, channels=channels)
  print(f"{len(images)} images and grid.png are in {args.out}.")


def write_images(
  out: pathlib.Path,
  names: Sequence[str],
  images: np.ndarray,
  *,
  resize: int | None = None,
  kernel: str = "lanczos",
  channels: Sequence[int] = (),
) -> None:
  """Write each image, see `write_image`, and `grid.png` of the first ones.

  Args:
    out: the output folder.
    names: names of the images.
    images: uint8 `(n, h, w, c)`.
    resize: side to which images are resized, in the grid at most `GRID_SIDE`.
    kernel: `lanczos` or `bicubic`.
    channels: the channels of the PNG, as in `images.visible`.
  """
  import numpy as np

  from jaxgen.formats.png import write_png
  from jaxgen.images import image_grid, visible

  pairs = list(zip(file_names(names), images, strict=True))
  for name, image in progress.each("writing", pairs):
    write_image(
      out / name, image, resize=resize, kernel=kernel, channels=channels
    )
  shown = visible(images[:GRID], channels)
  if resize:
    side = min(resize, max(GRID_SIDE, images.shape[1]))
    shown = np.stack([resample(x, side, kernel) for x in shown])
  write_png(out / "grid.png", image_grid(shown))


def write_each(
  out: pathlib.Path,
  names: Sequence[str],
  images: Iterable[np.ndarray],
  *,
  side: int = GRID_SIDE,
  channels: Sequence[int] = (),
) -> list[np.ndarray]:
  """Write each image as they come, of any sizes, see `write_image`, and
  `grid.png` of the first ones.

  Returns:
    The first images as `pictures.shown`, large ones reduced to `side` pixels.
  """
  from jaxgen import pictures
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible

  shown = []
  for name, image in zip(file_names(names), images, strict=True):
    write_image(out / name, image, channels=channels)
    if len(shown) < GRID:
      seen = visible(image, channels)
      shown.append(pictures.shown(seen, least=1, most=side))
  columns = max(1, round(len(shown) ** 0.5))
  label = f"{len(shown)} of {len(names)} images"
  picture = pictures.labeled_rows({label: shown}, columns=columns, most=side)
  write_png(out / "grid.png", picture)
  return shown


def write_image(
  path: pathlib.Path,
  image: np.ndarray,
  *,
  resize: int | None = None,
  kernel: str = "lanczos",
  channels: Sequence[int] = (),
) -> None:
  """Write a PNG of one channel or three; of an image with other channels, all
  are in a TIFF of the same name, which is not resized. Arguments as in
  `write_images`."""
  from jaxgen.formats import tiff
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible

  shown = visible(image, channels)
  write_png(path, resample(shown, resize, kernel) if resize else shown)
  if image.shape[-1] not in (1, 3):
    tiff.write(path.with_suffix(".tif"), image[None])


def file_names(names: Sequence[str]) -> list[str]:
  """Unique PNG names derived from image names, within one folder."""
  outside = ("/", "..")
  paths = [pathlib.PurePosixPath(n.replace("\0", "")) for n in names]
  full = ["/".join(x for x in p.parts if x not in outside) for p in paths]
  stems = [n and str(pathlib.PurePosixPath(n).with_suffix("")) for n in full]
  last = [n.rpartition("/")[2] for n in full]
  numbered = [f"{i:05} {n}" for i, n in enumerate(last)]
  chosen = next(filter(_usable, (stems, full, numbered)))
  return [f"{name}.png" for name in chosen]


def _usable(names: Sequence[str]) -> bool:
  """Whether names are unique and not reserved."""
  others = (*SUMMARIES, "")
  return len({*names, *others}) == len(names) + len(others)


def resample(image: np.ndarray, side: int, kernel: str) -> np.ndarray:
  """An image uint8 `(h, w, c)` resized to `side` pixels, by Pillow."""
  import numpy as np
  from PIL import Image

  squeezed = image[..., 0] if image.shape[-1] == 1 else image
  resized = Image.fromarray(squeezed).resize(
    (side, side), Image.Resampling[kernel.upper()]
  )
  return np.asarray(resized).reshape(side, side, -1)
