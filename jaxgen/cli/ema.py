"""Make averages of the weights of other lengths, after the training.

  jaxgen ema --workdir=runs/rocks --length=0.1
  jaxgen ema --workdir=runs/rocks --length=0.02,0.05,0.1,0.2

A length is the share of the run that an average remembers (its standard
deviation over time divided by the training time; Karras et al. 2024). Prints
the held-out metrics of each, beside those of the ordinary average. Every verb
takes one as --checkpoint=ema-0.1, or ema-0.1@STEP as it was at the last
snapshot by that step.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from jaxgen.errors import UserError


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  parser.add_argument(
    "--workdir", required=True, type=pathlib.Path, help="the run's folder"
  )
  parser.add_argument(
    "--length", required=True, metavar="L,...", help="0.001 to 0.28"
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Reconstruct, measure and print."""
  from rich.console import Console
  from rich.table import Table

  from jaxgen.config.fields import check_value
  from jaxgen.config.optimizer import SigmaRel
  from jaxgen.sample.load import load
  from jaxgen.train.stage import stage_programs
  from jaxgen.workdir.posthoc_ema import Averages

  lengths = [_number(x) for x in args.length.split(",")]
  for length in lengths:
    check_value("length", SigmaRel, length)
  model = load(args.workdir, "latest")
  kept, stage = Averages(args.workdir), model.stage
  shapes = model.params
  made = {f"ema-{x}": kept.reconstruct(x, shapes) for x in lengths}
  programs = stage_programs(model.experiment, names=model.names)
  heldout = programs[stage].evaluator
  table = Table("checkpoint", "step", "profile off")
  plain = heldout(model.params)
  for metric in plain:
    table.add_column(f"held-out {metric}", justify="right")
  for name, x in made.items():
    _add(table, name, x.step, f"{x.distance:.1%}", heldout(x.params))
  _add(table, "ordinary average", model.step, "", plain)
  Console().print(table)
  print(f"Use one with --checkpoint={next(iter(made))}, in every verb.")


def _number(text: str) -> float:
  try:
    return float(text)
  except ValueError as e:
    raise UserError(f"--length={text}: numbers like 0.1 are needed.") from e


def _add(table: Any, name: str, step: int, off: str, scores: Any) -> None:
  table.add_row(name, str(step), off, *(f"{x:.4f}" for x in scores.values()))
