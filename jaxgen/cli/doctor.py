"""Check the mathematics of this installation against known values.

  jaxgen doctor

Computes values that are known in closed form or from papers, on the devices of
this machine, and prints them with the expected ones. Exits with status 1 if any
is wrong. Takes less than two minutes on a CPU.
"""

from __future__ import annotations

import argparse

from jaxgen.cli import flags


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  parser.add_argument(
    "--precision",
    choices=("highest", "default"),
    default="highest",
    help="precision of matrix products: highest is full float32, as all "
    "metrics have; default is that of networks on this device, in which laws "
    "can fail on a sound GPU or TPU (default: highest)",
  )
  flags.add_deterministic_flag(parser)


def run(args: argparse.Namespace, rest: list[str]) -> int:
  """Measure and print each law; returns 1 if any does not hold."""
  import platform

  import jax
  from rich.console import Console
  from rich.table import Table

  import jaxgen
  from jaxgen.laws import LAWS
  from jaxgen.parallel import device

  table = Table("law", "source", "expected", "measured", "verdict")
  wrong = 0
  for law in LAWS:
    measured = law.measured(args.precision)
    holds = law.holds(measured)
    wrong += not holds
    numbers = f"{law.expected:g} +- {law.tolerance:g}", f"{measured:.6g}"
    table.add_row(law.name, law.source, *numbers, "holds" if holds else "WRONG")
  Console().print(table)
  print(
    f"jaxgen {jaxgen.__version__}, JAX {jax.__version__}, Python "
    f"{platform.python_version()}, {device.label()}, float32 with "
    f"{args.precision} precision: {len(LAWS) - wrong} of {len(LAWS)} laws hold."
  )
  return 1 if wrong else 0
