"""Measure the speed, compile time, operations and memory of a config.

  jaxgen benchmark --config=configs/textures_patch_ae.py:demo
  jaxgen benchmark --config=F --json=speed.json --config.model.width=256

Does not train or save weights. Times are medians; use an idle machine.
"""

from __future__ import annotations

import argparse
import pathlib

from jaxgen.cli import flags, outputs


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_config_flag(parser, required=True)
  parser.add_argument(
    "--repeats",
    type=flags.integer(1),
    default=10,
    help="timed calls per program (default: 10)",
  )
  flags.add_deterministic_flag(parser)
  parser.add_argument(
    "--json", type=pathlib.Path, help="also write the results to this file"
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Measure, print and write."""
  from rich.console import Console
  from rich.table import Table

  from jaxgen.config.files import load_experiment
  from jaxgen.formats.atomic import write_json
  from jaxgen.planning.benchmark import benchmark

  if args.json:
    outputs.make_folder(args.json.parent)
  results = benchmark(load_experiment(args.config, rest), repeats=args.repeats)
  table = Table(title=args.config, show_header=False)
  for name, value in results.items():
    text = f"{value:,.4g}" if isinstance(value, float) else f"{value}"
    table.add_row(name.replace("_", " "), text)
  Console().print(table)
  if args.json:
    write_json(args.json, results)
    print(f"Wrote {args.json}.")
