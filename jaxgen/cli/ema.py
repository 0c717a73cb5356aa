"""Reconstruct EMAs of the weights with other profiles, after training.

  jaxgen ema --workdir=runs/rocks --sigma_rel=0.1
  jaxgen ema --workdir=runs/rocks --sigma_rel=0.02,0.05,0.1,0.2

sigma_rel is the share of the run that a post-hoc EMA covers: the standard
deviation of its profile over time, divided by the training time (Karras et al.
2024). Prints the held-out metrics of each, and those of the ordinary EMA. Every
verb takes one as --checkpoint=ema-0.1, or ema-0.1@STEP as it was at the last
snapshot up to that step.
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
    "--sigma_rel", required=True, metavar="S,...", help="0.001 to 0.28"
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Reconstruct, measure and print."""
  from rich.console import Console
  from rich.table import Table

  from jaxgen.config.fields import check_value
  from jaxgen.config.optimizer import SigmaRel
  from jaxgen.sample.load import load
  from jaxgen.train.stage import stage_programs
  from jaxgen.workdir.posthoc_ema import PosthocEMA

  sigma_rels = [_number(x) for x in args.sigma_rel.split(",")]
  for sigma_rel in sigma_rels:
    check_value("sigma_rel", SigmaRel, sigma_rel)
  model = load(args.workdir, "latest")
  snapshots, stage = PosthocEMA(args.workdir), model.stage
  shapes = model.params
  emas = {f"ema-{x}": snapshots.reconstruct(x, shapes) for x in sigma_rels}
  programs = stage_programs(model.experiment, names=model.names)
  heldout = programs[stage].evaluator
  table = Table("checkpoint", "step", "profile error")
  plain = heldout(model.params)
  for metric in plain:
    table.add_column(f"held-out {metric}", justify="right")
  for name, x in emas.items():
    _add(table, name, x.step, f"{x.distance:.1%}", heldout(x.params))
  _add(table, "ordinary EMA", model.step, "", plain)
  Console().print(table)
  print(f"Use one with --checkpoint={next(iter(emas))}, in every verb.")


def _number(text: str) -> float:
  try:
    return float(text)
  except ValueError as e:
    raise UserError(
      f"--sigma_rel: expected numbers like 0.1, got {text}."
    ) from e


def _add(table: Any, name: str, step: int, off: str, scores: Any) -> None:
  table.add_row(name, str(step), off, *(f"{x:.4f}" for x in scores.values()))
