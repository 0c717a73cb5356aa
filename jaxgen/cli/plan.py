"""Say what a config needs, stage by stage, before anything runs.

  jaxgen plan --config=configs/rocks_patch_ae_256.py --memory=16GiB
  jaxgen plan --config=F --devices=8 --throughput=90e12 --json=plan.json

The memory is that which the compiler has laid out for the training step; no
step runs. Time is that of its operations or of its memory traffic, whichever is
longer, at rates measured on this machine; or of its operations at a given
--throughput. With --memory (by default what is there) it says how to run each
stage in it: microbatch, accumulation and what is computed again; exit status 2
where nothing helps.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
from typing import Any

from jaxgen.cli import common
from jaxgen.errors import UserError

STDOUT = pathlib.Path("-")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  parser.add_argument(
    "--config", required=True, metavar="FILE.py[:variant]", help="of a training"
  )
  parser.add_argument(
    "--memory", type=common.size, metavar="16GiB", help="of each device"
  )
  parser.add_argument(
    "--devices", type=common.whole(1), help="how many (on CPU: simulated)"
  )
  parser.add_argument(
    "--throughput",
    default="measured",
    metavar="measured|FLOPS",
    help="operations per second of each device",
  )
  parser.add_argument(
    "--no_fit", action="store_true", help="only describe the config as it is"
  )
  parser.add_argument(
    "--json",
    type=pathlib.Path,
    nargs="?",
    const=STDOUT,
    metavar="FILE",
    help="also write the numbers to this file; without a name print them alone",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Compile, print and write."""
  if args.devices:
    os.environ["JAX_NUM_CPU_DEVICES"] = str(args.devices)
    os.environ.setdefault("NPROC", "16")
  measured = args.throughput.lower() == "measured"
  given = None if measured else _flops(args.throughput)
  from jaxgen.config.files import load_experiment
  from jaxgen.formats.atomic import write_json
  from jaxgen.planning import cost
  from jaxgen.planning.roofline import Speed
  from jaxgen.train.stage import check_stages, stage_programs
  from jaxgen.train.transfer import check_transfers

  if args.json and args.json != STDOUT:
    common.make_folder(args.json.parent)
  experiment = load_experiment(args.config, rest)
  devices = _devices(args.devices)
  programs = stage_programs(experiment, devices=devices)
  check_stages(programs)
  check_transfers(programs)
  speed = Speed(flops=given) if given else cost.measured_speed(programs[0])
  memory = cost.memory_for_steps(experiment, args.memory or 0)
  rows = [cost.describe(program, speed) for program in programs]
  for row in rows:
    row["relative_memory"] = row["peak_bytes"] / rows[0]["peak_bytes"]
    row["relative_time"] = row["seconds_per_1000"] / rows[0]["seconds_per_1000"]
    squared = (row["resolution"] / rows[0]["resolution"]) ** 2
    row["rule_memory"], row["rule_batch"] = squared, 16 / squared
  fitted = [] if args.no_fit else [cost.fit(x, memory) for x in programs]
  found = [x and dataclasses.asdict(x) for x in fitted]
  facts = {"memory": memory, "flops_per_second": speed.flops}
  facts |= {"bytes_per_second": None if given else speed.bandwidth}
  facts |= {"stages": rows, "fitted": found}
  if args.json == STDOUT:
    print(json.dumps(facts, indent=2))
  else:
    _print(programs, rows, args.config)
    _print_fit(programs, rows, fitted, memory)
  if args.json and args.json != STDOUT:
    write_json(args.json, facts)
    print(f"The same numbers are in {args.json}.")
  for stage, x in zip(range(len(programs)), fitted, strict=False):
    if x is None:
      raise UserError(cost.refusal(programs[stage], memory))


def _flops(text: str) -> float:
  try:
    speed = float(text)
  except ValueError:
    speed = 0.0
  if not 0 < speed < float("inf"):
    raise UserError(
      f"--throughput={text}: `measured`, or operations per second like 90e12."
    )
  return speed


def _devices(count: int | None) -> Any:
  import jax

  if count and count > jax.device_count():
    raise UserError(
      f"--devices={count}: there are {jax.device_count()}; more can only be "
      "simulated on CPU (JAX_PLATFORMS=cpu)."
    )
  return jax.devices()[:count] if count else None


def _mib(value: float) -> str:
  return f"{value / 2**20:,.0f}"


def _giga(value: float) -> str:
  return f"{value / 1e9:,.2f}"


def _print(programs: Any, rows: list[dict], title: str) -> None:
  from rich.console import Console
  from rich.table import Table

  for first in range(0, len(rows), ABREAST):
    shown = rows[first : first + ABREAST]
    stages = (f"stage {first + i + 1}" for i in range(len(shown)))
    table = Table("", *stages, title=title)
    for name, (key, show) in COLUMNS.items():
      cells = [show(row[key]) if row[key] is not None else "" for row in shown]
      if any(cells):
        table.add_row(name, *cells)
    Console().print(table)
  print(f"{programs[0].layout.mesh.size} device(s); memory is that of each.")


ABREAST = 4  # stages in one table
COLUMNS: Any = {
  "resolution": ("resolution", str),
  "patches": ("patches", str),
  "parameters": ("parameters", "{:,}".format),
  "batch": ("batch_size", str),
  "accumulate": ("accumulate", str),
  "computed again": ("remat", str),
  "GFLOP per image": ("flops_per_image", _giga),
  "GB moved per image": ("traffic_per_image", _giga),
  "parameters, MiB": ("parameter_bytes", _mib),
  "optimizer, MiB": ("optimizer_bytes", _mib),
  "EMAs, MiB": ("ema_bytes", _mib),
  "activations, MiB": ("activation_bytes", _mib),
  "peak of the step, MiB": ("peak_bytes", _mib),
  "process on CPU, MiB": ("process_bytes", _mib),
  "memory relative to stage 1": ("relative_memory", "{:.2f}".format),
  "... by the rule (size ratio)^2": ("rule_memory", "{:.2f}".format),
  "batch by the rule 16 / (size ratio)^2": ("rule_batch", "{:.1f}".format),
  "time relative to stage 1": ("relative_time", "{:.2f}".format),
  "seconds for 1000 images": ("seconds_per_1000", "{:,.1f}".format),
  "hours for the stage": ("hours", "{:,.2f}".format),
}


def _print_fit(programs: Any, rows: list, fitted: list, memory: int) -> None:
  from jaxgen.planning import cost

  for index, x in enumerate(fitted):
    if x is not None:
      micro = programs[index].stage.batch_size // x.accumulate
      more = x.flops / rows[index]["flops_per_image"]
      print(
        f"stage {index + 1} in {cost.gib(memory)}: microbatch {micro}, "
        f"accumulate={x.accumulate}, remat={x.remat}: "
        f"{_mib(x.total + cost.reserved())} MiB, "
        f"{more:.2f} times the operations"
      )
