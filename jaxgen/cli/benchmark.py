"""Measure the speed, compile time, operations and memory of a config.

  jaxgen benchmark --config=configs/textures_patch_ae.py:demo
  jaxgen benchmark --config=F --json=speed.json --config.model.width=256
  jaxgen benchmark --workdir=runs/demo --restore --resolutions=32,64

With --restore it is the time and memory of restorations by resolution and
batch size, without a sampler (mean) and of one sample, on one device.

Does not train or save weights. Times are medians; use an idle machine.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, outputs
from jaxgen.cli.sampling_flags import refuse
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.config.experiment import Experiment
  from jaxgen.planning.restoration_benchmark import Cost
  from jaxgen.typing import ConditionNames

REPEATS = 10  # default
UNITS = {  # by the ending of a number's name
  "_images_per_second": "images/s",
  "_calls_per_second": "calls/s",
  "_gflops_per_second": "Gflop/s",
  "_gflops": "Gflop/s",
  "_gflop": "Gflop",
  "_seconds": "s",
  "_mib": "MiB",
}
OF_RESTORE = ("resolutions", "batches", "steps")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_config_flag(parser)
  parser.add_argument(
    "--workdir", type=flags.run_folder, help="a run, whose config is taken"
  )
  parser.add_argument(
    "--repeats",
    type=flags.integer(1),
    help=f"timed calls per program (default: {REPEATS}; 3 with --restore)",
  )
  flags.add_deterministic_flag(parser)
  parser.add_argument(
    "--json", type=pathlib.Path, help="also write the results to this file"
  )
  group = parser.add_argument_group("restorations")
  group.add_argument(
    "--restore", action="store_true", help="measure restorations instead"
  )
  group.add_argument(
    "--resolutions",
    type=flags.values(flags.integer(1)),
    metavar="32,64,...",
    help="sides of the images (default: 32,64,96,128)",
  )
  group.add_argument(
    "--batches",
    type=flags.values(flags.integer(1)),
    metavar="1,4,...",
    help="images per batch (default: 1,4,8,16)",
  )
  group.add_argument(
    "--steps",
    type=flags.integer(1, 1000),
    help="steps of a sample (default: 36)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Measure, print and write."""
  if (args.config is None) == (args.workdir is None):
    raise UserError("expected one of --config and --workdir.")
  if args.json:
    outputs.check_folder(args.json.parent)
  folder = _folder(args)
  experiment = _experiment(args, rest, folder)
  if args.restore:
    _restorations(args, experiment, folder)
  else:
    refuse(args, OF_RESTORE, owner="restorations (--restore)")
    _training(args, experiment)
  if args.json:
    print(f"Wrote {args.json}.")


def _folder(args: argparse.Namespace) -> pathlib.Path | None:
  """The folder of the run; None with a config."""
  from jaxgen.runs import hub

  return None if args.workdir is None else hub.local(args.workdir)


def _experiment(
  args: argparse.Namespace, rest: list[str], folder: pathlib.Path | None
) -> Experiment:
  from jaxgen.config.files import load_experiment
  from jaxgen.workdir.run_config import read_experiment

  if folder is None:
    return load_experiment(args.config, rest)
  if rest:
    raise UserError(f"{rest[0]}: expected --config, not --workdir.")
  return read_experiment(folder)


def _training(args: argparse.Namespace, experiment: Experiment) -> None:
  from rich.console import Console
  from rich.table import Table

  from jaxgen.formats.atomic import write_json
  from jaxgen.planning.benchmark import benchmark

  results = benchmark(experiment, repeats=args.repeats or REPEATS)
  table = Table(title=str(args.config or args.workdir), show_header=False)
  for name, value in results.items():
    table.add_row(*row(name, value))
  Console().print(table)
  if args.json:
    write_json(args.json, results)


def row(name: str, value: float | str) -> tuple[str, str]:
  """The words of a measured number's name, and the number with the unit that
  ends its name."""
  text = f"{value}"
  if isinstance(value, int | float):
    text = f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
  for ending, unit in UNITS.items():
    if name.endswith(ending):
      name, text = name.removesuffix(ending), f"{text} {unit}"
      break
  return name.replace("_", " "), text


def _restorations(
  args: argparse.Namespace,
  experiment: Experiment,
  folder: pathlib.Path | None,
) -> None:
  import dataclasses

  from jaxgen.formats.atomic import write_json
  from jaxgen.parallel import device
  from jaxgen.planning import restoration_benchmark

  names = ("resolutions", "batches", "steps", "repeats")
  given = {k: getattr(args, k) for k in names if getattr(args, k) is not None}
  conditions = _condition_names(folder, experiment)
  costs = list(restoration_benchmark.measure(experiment, conditions, **given))
  _print(costs, device.label())
  if args.json:
    rows = [dataclasses.asdict(x) for x in costs]
    write_json(args.json, {"devices": device.label(), "rows": rows})


def _condition_names(
  folder: pathlib.Path | None, experiment: Experiment
) -> ConditionNames:
  from jaxgen.tasks import families
  from jaxgen.workdir.run_config import read_condition_names

  if folder is not None:
    return read_condition_names(folder)
  return families.condition_values(experiment)


def _print(costs: list[Cost], devices: str) -> None:
  """Print a table: a row for each resolution and batch size."""
  from rich.console import Console
  from rich.table import Table

  table = Table(title=f"restorations on one of {devices}")
  for name in ("resolution", "batch", "mean", "MiB", "a sample", "MiB"):
    table.add_column(name, justify="right")
  for mean, sample in zip(costs[::2], costs[1::2], strict=True):
    cells = [f"{mean.resolution}", f"{mean.batch}"]
    for cost in (mean, sample):
      cells += [_seconds(cost), f"{cost.bytes / 2**20:,.4g}"]
    table.add_row(*cells)
  Console().print(table)
  print("Times are of a batch, memory is that of the program with parameters.")


def _seconds(cost: Cost) -> str:
  return "no memory" if cost.seconds is None else f"{cost.seconds:.4g} s"
