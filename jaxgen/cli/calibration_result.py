"""What the measurements of `calibrate` give."""

from __future__ import annotations

import argparse
import dataclasses
import math
from typing import NamedTuple

import numpy as np

from jaxgen.cli.calibration_inputs import Exposures
from jaxgen.restoration import darks
from jaxgen.restoration.calibration import Calibration
from jaxgen.restoration.photon_transfer import Transfer


class DarkPlanes(NamedTuple):
  """Measurements of darks, their planes side by side."""

  found: darks.Darks
  exposures: Exposures

  def map_of(self, values: np.ndarray) -> np.ndarray:
    """A map of the planes as `(h, w)` or `(h, w, c)`."""
    planes = np.split(values, len(self.exposures.scenes), axis=1)
    return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
  """A calibration and what it was made from.

  Attributes:
    calibration: the result.
    notes: what a user should know about the reading.
    line: the fit, if there is one.
    dark: what the darks say, if there are any.
  """

  calibration: Calibration
  notes: tuple[str, ...] = ()
  line: Transfer | None = None
  dark: DarkPlanes | None = None


def white_level(args: argparse.Namespace, stated: float | None) -> float:
  """The white level of the flags, else the one that files state, or none."""
  if args.white is not None:
    return args.white
  return math.inf if stated is None else stated
