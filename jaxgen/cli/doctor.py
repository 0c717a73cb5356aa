"""Check the mathematics of this installation against known values.

  jaxgen doctor

Computes values that are known in closed form or from papers, on the devices of
this machine, and prints each with the expected one and its source as soon as it
is known. Exits with status 1 if any is wrong. Takes less than two minutes on a
CPU.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from jaxgen import progress
from jaxgen.cli import flags

if TYPE_CHECKING:
  from jaxgen.laws import Law
  from jaxgen.parallel.precision import Precision


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

  import jaxgen
  from jaxgen.laws import LAWS
  from jaxgen.parallel import device

  laws = progress.each("checking", LAWS, unit="laws")
  wrong = [law.name for law in laws if not _check(law, args.precision)]
  print(
    f"jaxgen {jaxgen.__version__}, JAX {jax.__version__}, Python "
    f"{platform.python_version()}, {device.label()}, float32 with "
    f"{args.precision} precision: {len(LAWS) - len(wrong)} of {len(LAWS)} laws "
    "hold."
  )
  for name in wrong:
    print(f"WRONG: {name}")
  return 1 if wrong else 0


def _check(law: Law, precision: Precision) -> bool:
  """Measure a law and print the result; returns whether it holds."""
  start = time.monotonic()
  with progress.loop(law.name):
    measured = law.measured(precision)
  holds, seconds = law.holds(measured), time.monotonic() - start
  print(
    f"{'holds' if holds else 'WRONG'}  {law.name}: {measured:.6g}, expected "
    f"{law.expected:g} +- {law.tolerance:g} ({law.source}), {seconds:.1f} s",
    flush=True,
  )
  return holds
