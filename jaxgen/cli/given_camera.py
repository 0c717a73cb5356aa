"""The camera that `restore` is given, for the exposures of a file."""

from __future__ import annotations

import pathlib
from typing import Any, NamedTuple

import numpy as np

from jaxgen.data.frames import Frames
from jaxgen.errors import UserError
from jaxgen.restoration.calibration import ROUNDING
from jaxgen.restoration.camera import PerPixel
from jaxgen.workdir.noise_maps import DEAD, MAPS

NO_BLACK = "the black level is not stated: 0 is taken (--black sets it)"


class Given(NamedTuple):
  """What is known of the camera; levels of None are those of each file, and
  arrays are maps `(h, w, c)`."""

  gain: PerPixel
  read_noise: PerPixel
  black: PerPixel | None = None
  white: PerPixel | None = None
  dead: np.ndarray | None = None

  def for_file(self, path: pathlib.Path, frames: Frames) -> Given:
    """With the levels of a file where they are not given.

    Raises:
      UserError: its exposures are not of the size of the maps.
    """
    for name, x in self._asdict().items():
      if isinstance(x, np.ndarray):
        _check_size(MAPS.get(name, DEAD), x, path, shape=frames.values.shape)
    black = frames.black if self.black is None else self.black
    white = frames.white if self.white is None else self.white
    dtype = frames.values.dtype
    if white is None and dtype.kind in "iu":
      white = float(np.iinfo(dtype).max)
    return self._replace(black=0.0 if black is None else black, white=white)

  def notes(self, frames: Frames) -> tuple[str, ...]:
    """What a user should know of the camera."""
    found = frames.notes
    if self.black is None and frames.black is None:
      found = (*found, NO_BLACK)
    if self.dead is not None and self.dead.any():
      where = int(self.dead.sum()), self.dead.mean()
      found = (*found, f"{where[0]} pixels ({where[1]:.2%}) are dead or hot")
    return found

  def seen(self, values: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """Exposures and the keywords of `run.restore` about the camera. Values of
    dead pixels are NaN; of integers, which become floats by that, rounding
    joins the read noise."""
    known = {k: v for k, v in self._asdict().items() if k != "dead"}
    if self.dead is None or not self.dead.any():
      return values, known
    if values.dtype.kind in "iu":
      variance = np.square(self.read_noise) + ROUNDING / np.square(self.gain)
      known["read_noise"] = np.sqrt(variance)
    return np.where(self.dead, np.float32(np.nan), values), known

  def facts(self) -> dict[str, Any]:
    """Entries of the report: of maps their means and names."""
    named = self._asdict()
    maps = [k for k in MAPS if np.shape(named[k])[:2] not in ((), (1, 1))]
    dead = named.pop("dead")
    found = {
      k: None if v is None else float(np.mean(v)) for k, v in named.items()
    }
    if dead is None:
      return found
    return {**found, "maps": maps, "dead_pixels": int(dead.sum())}


def _check_size(
  name: str, x: np.ndarray, path: pathlib.Path, *, shape: tuple[int, ...]
) -> None:
  if x.shape[:2] == shape[1:3] and x.shape[2] in (1, shape[3]):
    return
  sizes = [f"{w} x {h} x {c}" for h, w, c in (shape[1:], x.shape)]
  raise UserError(
    f"--noise: {name}: expected a map of {sizes[0]} pixels as {path}, got"
    f" {sizes[1]}."
  )
