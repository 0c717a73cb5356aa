"""Flags of simulated sensors, for verbs that measure restorations."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from jaxgen.cli import flags

if TYPE_CHECKING:
  from jaxgen.evaluation.sensors import Sensor

SENSOR = ("photons", "background", "read_noise")


def add_sensor_flags(group: flags.Group) -> None:
  """Add the flags of sensors; those that are not given are None."""
  group.add_argument(
    "--photons",
    type=_levels,
    metavar="N,...",
    help="electrons at white above black (default: 2,5,20,100,1000)",
  )
  group.add_argument(
    "--background",
    type=flags.number(above=-1e-9),
    help="electrons at black (default: 1)",
  )
  group.add_argument(
    "--read_noise",
    type=flags.number(above=0),
    help="read noise in electrons (default: 1)",
  )


def sensors(args: argparse.Namespace) -> list[Sensor]:
  """The sensors that the flags give, one for each number of photons."""
  from jaxgen.evaluation.sensors import PHOTONS, Sensor

  names = ("background", "read_noise")
  given = {k: getattr(args, k) for k in names}
  known = {k: v for k, v in given.items() if v is not None}
  return [Sensor(photons=x, **known) for x in args.photons or PHOTONS]


def _levels(text: str) -> tuple[float, ...]:
  """The type of `--photons`."""
  values = tuple(flags.number(above=0)(x) for x in text.split(","))
  if len(set(values)) < len(values):
    raise argparse.ArgumentTypeError(f"expected different numbers, got {text}")
  return values
