"""The checks of what a restoration is asked for."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from jaxgen.config.fields import (
  Int,
  NonNegative,
  Positive,
  PositiveInt,
  Seed,
  check_value,
)
from jaxgen.errors import UserError
from jaxgen.restoration.camera import Camera, PerPixel
from jaxgen.restoration.named_operators import NamedOperator, named_operator
from jaxgen.restoration.recommend import Preference
from jaxgen.sample.resolution_choice import Limits
from jaxgen.sample.run import LoadedRun

TYPES: dict[str, Any] = {  # of numbers, by keyword
  "background": NonNegative,
  "samples": Annotated[int, Field(ge=0, le=1024)],
  "corrections": Annotated[int, Field(ge=0, le=64)],
  "std_factor": Positive,
  "batch": PositiveInt,
  "seed": Seed,
  "max_seconds": Positive,
  "max_memory": Annotated[Int, Field(ge=1)],
  "preference": Preference,
}


def check_values(**values: object) -> None:
  """Raise a UserError for a value that is out of range."""
  for name, value in values.items():
    check_value(name, TYPES[name], value)


def camera(
  *,
  gain: PerPixel,
  read_noise: PerPixel,
  black: PerPixel,
  white: PerPixel | None,
) -> Camera:
  """A camera, or a UserError for numbers that none has."""
  try:
    return Camera(
      gain=gain,
      read_noise=read_noise,
      black=black,
      white=math.inf if white is None else white,
    )
  except ValueError as e:
    raise UserError(f"{e}.") from e


def operator(run: LoadedRun, text: str, *, samples: int) -> NamedOperator:
  """The operator of a name, or a UserError if there is none, or a single answer
  of the denoiser is not the mean and no sample is asked for."""
  try:
    measured = named_operator(text)
  except ValueError as e:
    raise UserError(f"operator={text}: {e}.") from e
  maps = run.experiment.diffusion.noise_map
  single = text == "none" or (maps and measured.operator.selects)
  if not samples and not single:
    raise UserError(
      f"operator={text}: expected samples=8 or another number, since the"
      " mean is not a single answer of this denoiser."
    )
  return measured


def limits(
  *,
  max_seconds: float | None,
  max_memory: int | None,
  preference: Preference | None,
  operator: str,
) -> Limits | None:
  """What limits the resolution; None: nothing, it is the run's."""
  values = {
    "max_seconds": max_seconds,
    "max_memory": max_memory,
    "preference": preference,
  }
  given = {k: v for k, v in values.items() if v is not None}
  check_values(**given)
  if not given:
    return None
  if operator != "none":
    name, value = next(iter(given.items()))
    raise UserError(
      f"{name}={value}: expected operator=none, got {operator}: only counts of"
      " the image itself are summed to fewer pixels."
    )
  return Limits(
    max_seconds=None if max_seconds is None else float(max_seconds),
    max_bytes=max_memory,
    preference=preference or "quality",
  )
