"""Folders of images that verbs write."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

GRID_SIDE = 256  # pixels of an enlarged image in grid.png
GRID = 64  # images at most in grid.png
SUMMARIES = ("grid", "compare")  # names that images of the user cannot have


def make_folder(path: pathlib.Path) -> None:
  """Make a folder for results.

  Raises:
    UserError: it cannot be written to.
  """
  try:
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path):
      pass
  except (OSError, ValueError) as e:
    reason = getattr(e, "strerror", None) or e
    raise UserError(
      f"{path} cannot be written to ({reason}): name another --out."
    ) from e


def write_images(
  out: pathlib.Path,
  names: Sequence[str],
  images: np.ndarray,
  *,
  resize: int | None = None,
  kernel: str = "lanczos",
) -> None:
  """Write a PNG of each image, and `grid.png` of the first ones.

  Args:
    out: the folder.
    names: of the images.
    images: uint8 `(n, h, w, c)`.
    resize: pixels to which they are resized; in the grid to at most
      `GRID_SIDE`.
    kernel: `lanczos` or `bicubic`.
  """
  import numpy as np

  from jaxgen.formats.png import write_png
  from jaxgen.images import image_grid

  for name, image in zip(file_names(names), images, strict=True):
    pixels = resample(image, resize, kernel) if resize else image
    write_png(out / name, pixels)
  shown = images[:GRID]
  if resize:
    side = min(resize, max(GRID_SIDE, images.shape[1]))
    shown = np.stack([resample(image, side, kernel) for image in shown])
  write_png(out / "grid.png", image_grid(shown))
  print(f"{len(images)} images and grid.png are in {out}.")


def file_names(names: Sequence[str]) -> list[str]:
  """PNG names after the images' own, below one folder and all different."""
  outside = ("/", "..")
  paths = [pathlib.PurePosixPath(n.replace("\0", "")) for n in names]
  inside = ["/".join(x for x in p.parts if x not in outside) for p in paths]
  stems = [n and str(pathlib.PurePosixPath(n).with_suffix("")) for n in inside]
  last = [n.rpartition("/")[2] for n in inside]
  numbered = [f"{i:05} {n}" for i, n in enumerate(last)]
  chosen = next(filter(_usable, (stems, inside, numbered)))
  return [f"{name}.png" for name in chosen]


def _usable(names: Sequence[str]) -> bool:
  """True where names differ from each other and from those of other files."""
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
