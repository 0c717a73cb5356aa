"""PNG files, written in one atomic step."""

from __future__ import annotations

import pathlib

import numpy as np
from PIL import Image

from jaxgen.formats.atomic import replacing


def write_png(path: pathlib.Path, picture: np.ndarray) -> None:
  """Write a uint8 `(h, w, c)` picture, in one atomic step; of other than 1 or 3
  channels the first."""
  picture = picture if picture.shape[-1] == 3 else picture[..., :1]
  grey = picture.shape[-1] == 1
  image = Image.fromarray(np.squeeze(picture, -1) if grey else picture)
  with replacing(path) as file:
    image.save(file, format="PNG")
