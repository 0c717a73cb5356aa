"""Pictures that a test wrote or is given."""

import pathlib

import numpy as np
from PIL import Image


def read(path: pathlib.Path) -> np.ndarray:
  """The pixels of a file, `(h, w)` or `(h, w, c)`."""
  with Image.open(path) as file:
    return np.asarray(file)
