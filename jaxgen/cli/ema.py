"""Reconstruct EMAs of the weights with other profiles, after training.

  jaxgen ema --workdir=runs/rocks --sigma_rel=0.1
  jaxgen ema --workdir=runs/rocks --sigma_rel=0.02,0.05,0.1,0.2

sigma_rel is the relative width of a post-hoc EMA: the standard deviation of its
profile over time, divided by the training time (Karras et al. 2024). Prints the
held-out metrics of each EMA and of the ordinary one. All verbs accept
--checkpoint=ema-0.1, or ema-0.1@STEP for the EMA at the last snapshot up to
that step.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxgen import progress
from jaxgen.cli import evaluation_tables, flags
from jaxgen.errors import UserError


class Row(NamedTuple):
  """A row of the table."""

  checkpoint: str
  step: int
  error: str  # error of the profile
  scores: Mapping[str, float]


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  parser.add_argument(
    "--workdir", required=True, type=flags.run_folder, help="the run's folder"
  )
  parser.add_argument(
    "--sigma_rel",
    required=True,
    metavar="S,...",
    help="relative widths, 0.001 to 0.28",
  )
  flags.add_deterministic_flag(parser)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Reconstruct, measure and print."""
  from jaxgen.config.fields import check_value
  from jaxgen.config.optimizer import SigmaRel
  from jaxgen.sample.load import load
  from jaxgen.train.programs import stage_programs
  from jaxgen.typing import LossInputs
  from jaxgen.workdir.posthoc_ema import PosthocEMA

  sigma_rels = [_number(x) for x in args.sigma_rel.split(",")]
  for sigma_rel in sigma_rels:
    check_value("--sigma_rel", SigmaRel, sigma_rel)
  model = load(args.workdir, "latest")
  snapshots = PosthocEMA(model.workdir)
  reported = progress.each("combining snapshots", sigma_rels, unit="EMAs")
  emas = [snapshots.reconstruct(x, model.params) for x in reported]
  programs = stage_programs(
    model.experiment, names=model.names, companions=model.companions
  )
  evaluator = programs[model.stage].evaluator
  weights = [*(ema.params for ema in emas), model.params]
  inputs = LossInputs(frozen=model.frozen)
  reported = progress.each("evaluating EMAs", weights, unit="EMAs")
  *scores, ordinary = [evaluator(params, inputs) for params in reported]
  rows = [
    Row(f"ema-{x}", ema.step, f"{ema.distance:.1%}", values)
    for x, ema, values in zip(sigma_rels, emas, scores, strict=True)
  ]
  _print([*rows, Row("ordinary EMA", model.step, "", ordinary)])
  print(f"All verbs accept --checkpoint={rows[0].checkpoint}.")


def _print(rows: Sequence[Row]) -> None:
  from rich.console import Console
  from rich.table import Table

  table = Table("checkpoint", "step", "profile error")
  for metric in rows[0].scores:
    unit = evaluation_tables.UNITS.get(metric, metric)
    table.add_column(f"held-out {unit}", justify="right")
  for name, step, error, scores in rows:
    cells = (f"{x:.4f}" for x in scores.values())
    table.add_row(name, str(step), error, *cells)
  Console().print(table)


def _number(text: str) -> float:
  try:
    return float(text)
  except ValueError as e:
    raise UserError(f"--sigma_rel={text}: expected a number like 0.1.") from e
