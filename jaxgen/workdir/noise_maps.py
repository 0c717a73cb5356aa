"""The maps of single pixels beside `noise.json`."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats.image_files import reason
from jaxgen.restoration.camera import Camera
from jaxgen.workdir.noise_file import NAME, read_noise_json

MAPS = {x: f"{x}.npy" for x in ("gain", "read_noise", "black")}
DEAD = "dead.npy"  # true where pixels say nothing


def read_camera(path: pathlib.Path) -> Camera:
  """The camera of a `noise.json`, or of its folder, with the maps beside it:
  arrays `(h, w, c)`, of one channel or those of the images. Where a map is NaN,
  a pixel is dead.

  Raises:
    UserError: a file is missing or damaged, or of no camera.
  """
  path = path / NAME if path.is_dir() else path
  camera, folder = read_noise_json(path), path.parent
  maps = {
    k: _read(folder / x) for k, x in MAPS.items() if (folder / x).exists()
  }
  masks = [np.isnan(x) for x in maps.values()]
  if (folder / DEAD).exists():
    masks.append(_read(folder / DEAD) != 0)
  if not masks:
    return camera
  try:
    dead = np.logical_or.reduce(np.broadcast_arrays(*masks))
    known = {k: _filled(x, dead, getattr(camera, k)) for k, x in maps.items()}
    return dataclasses.replace(camera, **known, dead=dead)
  except ValueError as e:
    sizes = {x.shape[:2] for x in masks}
    why = "expected maps of one size" if len(sizes) > 1 else str(e)
    raise UserError(
      f"{folder}: {', '.join([*MAPS.values(), DEAD])}: {why}."
    ) from e


def _read(path: pathlib.Path) -> np.ndarray:
  """A map with three axes."""
  try:
    values = np.load(path)
  except Exception as e:
    raise UserError(f"{path}: {reason(e)}.") from e
  if values.dtype.kind not in "fiub" or values.ndim not in (2, 3):
    raise UserError(
      f"{path}: expected a map of numbers, (h, w) or (h, w, c), got"
      f" {values.dtype} {values.shape}."
    )
  return values[..., None] if values.ndim == 2 else values


def _filled(x: np.ndarray, dead: np.ndarray, value: float) -> np.ndarray:
  """A map with the number of the camera where pixels are dead."""
  return np.where(dead, np.float32(value), x).astype(np.float32)
