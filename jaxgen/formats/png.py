"""PNG files, written atomically."""

from __future__ import annotations

import pathlib

import numpy as np
from PIL import Image

from jaxgen.formats.atomic import replacing


def write_png(path: pathlib.Path, image: np.ndarray) -> None:
  """Write a uint8 image `(h, w, c)`: RGB if c is 3, else its first channel as
  gray."""
  pixels = image if image.shape[-1] == 3 else image[..., 0]
  with replacing(path) as file:
    Image.fromarray(pixels).save(file, format="PNG")
