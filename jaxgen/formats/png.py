"""PNG files, written atomically."""

from __future__ import annotations

import pathlib
import zlib

import numpy as np
from PIL import Image

from jaxgen.formats.atomic import replacing

_HEADER = 33  # bytes of the signature and of the first chunk, IHDR


def write_png(path: pathlib.Path, image: np.ndarray) -> None:
  """Write a uint8 image `(h, w, c)`: its first three channels as RGB, of one or
  two channels the first as gray."""
  pixels = image[..., :3] if image.shape[-1] > 2 else image[..., 0]
  with replacing(path) as file:
    Image.fromarray(pixels).save(file, format="PNG")


def add_software(path: pathlib.Path, software: str) -> None:
  """Add the name of the program that made a picture, an ASCII text; in place,
  so not atomically."""
  data = path.read_bytes()
  chunk = b"tEXtSoftware\0" + software.encode("ascii")
  length = (len(chunk) - 4).to_bytes(4)
  check = zlib.crc32(chunk).to_bytes(4)
  chunks = (data[:_HEADER], length, chunk, check, data[_HEADER:])
  path.write_bytes(b"".join(chunks))


def read_software(path: pathlib.Path) -> str:
  """The name of the program that made a picture; empty if it has none or is no
  PNG."""
  try:
    with Image.open(path, formats=["PNG"]) as image:
      return str(image.info.get("Software", ""))
  except (OSError, SyntaxError, ValueError):
    return ""
