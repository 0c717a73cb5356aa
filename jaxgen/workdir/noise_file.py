"""The file `noise.json`: the calibration of a camera."""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.restoration.calibration import ROUNDING, Calibration
from jaxgen.restoration.camera import GAIN_UNIT, Camera

NAME = "noise.json"
FORMAT = "jaxgen noise 1"
_NUMBERS = ("gain", "read_noise", "black")


def write_noise_json(
  path: pathlib.Path, found: Calibration, **facts: object
) -> dict[str, Any]:
  """Write a calibration and further facts about it; returns the content."""
  content = {**as_json(found), **facts}
  write_json(path, content)
  return content


def as_json(found: Calibration) -> dict[str, Any]:
  """A calibration as the content of the file."""
  return {
    "format": FORMAT,
    "method": found.method,
    "gain": found.gain,
    "gain_error": found.gain_error,
    "gain_unit": GAIN_UNIT,
    "read_noise": found.read_noise,
    "read_noise_error": found.read_noise_error,
    "read_noise_unit": "electrons",
    "black": found.black,
    "black_error": found.black_error,
    "white": None if math.isinf(found.white) else found.white,
    "level_unit": "DN",
    "rounding_variance": ROUNDING if found.rounded else 0.0,
    "chi_squared": found.chi_squared,
    "warnings": list(found.warnings),
  }


def read_noise_json(path: pathlib.Path) -> Camera:
  """The camera of a file that `jaxgen calibrate` has written, or of one by hand
  with at least `gain`, `gain_unit`, `read_noise` and `black`.

  Raises:
    UserError: the file is missing or damaged, or of no camera.
  """
  content = _load(path)
  unit = content.get("gain_unit")
  if unit != GAIN_UNIT:
    raise UserError(f"{path}: gain_unit: expected {GAIN_UNIT!r}, got {unit!r}.")
  gain, read_noise, black = (_number(path, content, x) for x in _NUMBERS)
  bright = content.get("white") is not None
  white = _number(path, content, "white") if bright else math.inf
  try:
    return Camera(gain=gain, read_noise=read_noise, black=black, white=white)
  except ValueError as e:
    raise UserError(f"{path}: {e}.") from e


def _load(path: pathlib.Path) -> dict[str, Any]:
  try:
    content = json.loads(path.read_text())
  except OSError as e:
    raise UserError(f"{path}: {e.strerror or e}.") from e
  except (ValueError, RecursionError) as e:
    reason = " ".join(str(e).split())[:200]
    raise UserError(f"{path}: expected JSON: {reason}.") from e
  if not isinstance(content, dict):
    raise UserError(f"{path}: expected an object with gain, read_noise, black.")
  known = content.get("format", FORMAT)
  if known != FORMAT:
    raise UserError(f"{path}: format: expected {FORMAT!r}, got {known!r}.")
  return content


def _number(path: pathlib.Path, content: dict[str, Any], name: str) -> float:
  """A finite number of the file."""
  value = content.get(name)
  if isinstance(value, (int, float)) and not isinstance(value, bool):
    if _is_finite(value):
      return float(value)
  said = f", got {json.dumps(value)[:60]}" if name in content else ""
  raise UserError(f"{path}: {name}: expected a number{said}.")


def _is_finite(value: float) -> bool:
  try:
    return math.isfinite(value)
  except OverflowError:  # an integer beyond floats
    return False
