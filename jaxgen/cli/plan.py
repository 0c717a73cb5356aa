"""Estimate the memory and time of each stage of a config.

  jaxgen plan --config=configs/rocks_patch_ae_256.py --memory=16GiB
  jaxgen plan --config=F --devices=8 --throughput=90e12 --json=plan.json

No step is run. The memory is that of the compiled training step, as reported by
the compiler. The time is that of its operations or its memory traffic,
whichever is longer, at rates measured on this machine, or that of its
operations at a given --throughput. For each stage the plan also finds a
microbatch, accumulation and rematerialization that fit in --memory (by default
the memory of the device); the exit status is 2 if a stage does not fit.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jaxgen.cli import flags, outputs
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.parallel.sharding import Devices
  from jaxgen.planning.cost import Need
  from jaxgen.train.stage import StageProgram

STDOUT = pathlib.Path("-")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_config_flag(parser, required=True)
  parser.add_argument(
    "--memory",
    type=flags.byte_size,
    metavar="16GiB",
    help="memory of each device (default: as on this machine)",
  )
  flags.add_deterministic_flag(parser)
  parser.add_argument(
    "--devices",
    type=flags.integer(1),
    help="number of devices (default: all; on CPU they are simulated)",
  )
  parser.add_argument(
    "--throughput",
    default="measured",
    metavar="measured|FLOPS",
    help="operations per second of each device (default: measured)",
  )
  parser.add_argument(
    "--parameters",
    action="store_true",
    help="also print the parameters by layer",
  )
  parser.add_argument(
    "--no_fit",
    action="store_true",
    help="describe the config without fitting it to the memory",
  )
  parser.add_argument(
    "--json",
    type=pathlib.Path,
    nargs="?",
    const=STDOUT,
    metavar="FILE",
    help="also write the plan to this file; without a file, print only JSON",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Compile each stage, print the plan and write it."""
  if args.devices:
    os.environ["JAX_NUM_CPU_DEVICES"] = str(args.devices)
    os.environ.setdefault("NPROC", "16")
  throughput = _parse_throughput(args.throughput)
  from jaxgen.config.files import load_experiment
  from jaxgen.planning import cost
  from jaxgen.planning.roofline import Speed
  from jaxgen.runs import companions
  from jaxgen.train.programs import check_stages, stage_programs
  from jaxgen.train.transfer import check_transfers

  if args.json and args.json != STDOUT:
    outputs.check_folder(args.json.parent)
  experiment = load_experiment(args.config, rest)
  devices = _devices(args.devices)
  programs = stage_programs(
    experiment,
    devices=devices,
    companions=companions.find(experiment, devices=devices),
  )
  check_stages(programs)
  check_transfers(programs)
  if throughput is None:
    speed = cost.measured_speed(programs[0])
  else:
    speed = Speed(flops=throughput)
  memory = cost.memory_for_steps(experiment, args.memory or 0)
  stages = [cost.describe(program, speed) for program in programs]
  _add_ratios(stages)
  fitted = [] if args.no_fit else [cost.fit(x, memory) for x in programs]
  plan = {
    "memory": memory,
    "flops_per_second": speed.flops,
    "bytes_per_second": speed.bandwidth if throughput is None else None,
    "stages": stages,
    "fitted": [x and dataclasses.asdict(x) for x in fitted],
  }
  if args.json == STDOUT:
    print(json.dumps(plan, indent=2))
  else:
    if args.parameters:
      _print_parameters(programs)
    _print_stages(stages, title=args.config)
    print(f"{programs[0].layout.mesh.size} device(s); memory is per device.")
    _print_fits(programs, stages, fitted=fitted, memory=memory)
  if args.json and args.json != STDOUT:
    _write(args.json, plan)
  for program, need in zip(programs, fitted, strict=False):
    if need is None:
      raise UserError(cost.refusal(program, memory))


def _write(path: pathlib.Path, plan: dict[str, Any]) -> None:
  from jaxgen.formats.atomic import write_json

  write_json(path, plan)
  print(f"Wrote {path}.")


def _add_ratios(stages: list[dict[str, Any]]) -> None:
  """Add memory and time relative to the first stage, and the prediction of the
  rule of thumb that memory grows with the number of pixels."""
  first = stages[0]
  for stage in stages:
    stage["relative_memory"] = stage["peak_bytes"] / first["peak_bytes"]
    stage["relative_time"] = (
      stage["seconds_per_1000"] / first["seconds_per_1000"]
    )
    pixels = (stage["resolution"] / first["resolution"]) ** 2
    stage["rule_memory"], stage["rule_batch"] = pixels, 16 / pixels


def _parse_throughput(text: str) -> float | None:
  """Operations per second; None: to be measured."""
  if text.lower() == "measured":
    return None
  try:
    throughput = float(text)
  except ValueError:
    throughput = 0.0
  if not 0 < throughput < float("inf"):
    raise UserError(
      f"--throughput={text}: expected `measured`, or operations per second "
      "such as 90e12."
    )
  return throughput


def _devices(count: int | None) -> Devices:
  import jax

  if count and count > jax.device_count():
    raise UserError(
      f"--devices={count}: expected at most {jax.device_count()}; more can "
      "only be simulated on CPU (JAX_PLATFORMS=cpu)."
    )
  return jax.devices()[:count] if count else None


def _mib(value: float) -> str:
  return f"{value / 2**20:,.0f}"


def _giga(value: float) -> str:
  return f"{value / 1e9:,.2f}"


COLUMNS = 4  # stages in one table
ROWS: Any = {  # title: (key, format)
  "resolution": ("resolution", str),
  "patches": ("patches", str),
  "parameters": ("parameters", "{:,}".format),
  "batch": ("batch_size", str),
  "accumulate": ("accumulate", str),
  "remat": ("remat", str),
  "GFLOP per image": ("flops_per_image", _giga),
  "GB of traffic per image": ("traffic_per_image", _giga),
  "parameters, MiB": ("parameter_bytes", _mib),
  "optimizer, MiB": ("optimizer_bytes", _mib),
  "EMAs, MiB": ("ema_bytes", _mib),
  "companions, MiB": ("companion_bytes", _mib),
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


def _print_stages(stages: list[dict[str, Any]], *, title: str) -> None:
  """Print tables with one column per stage."""
  from rich.console import Console
  from rich.table import Table

  for first in range(0, len(stages), COLUMNS):
    part = stages[first : first + COLUMNS]
    heads = (f"stage {first + i + 1}" for i in range(len(part)))
    table = Table("", *heads, title=title)
    for name, (key, show) in ROWS.items():
      cells = [show(x[key]) if x[key] is not None else "" for x in part]
      if any(cells):
        table.add_row(name, *cells)
    Console().print(table)


def _print_parameters(programs: Sequence[StageProgram]) -> None:
  from jaxgen import trees

  for program in programs:
    print(f"stage {program.index + 1}, {program.stage.resolution} pixels")
    print(trees.overview(program.state_shapes.params))


def _print_fits(
  programs: Sequence[StageProgram],
  stages: list[dict[str, Any]],
  *,
  fitted: Sequence[Need | None],
  memory: int,
) -> None:
  """Print the fitted configuration of each stage that fits."""
  from jaxgen.planning import cost

  for program, stage, need in zip(programs, stages, fitted, strict=False):
    if need is not None:
      microbatch = program.stage.batch_size // need.accumulate
      ratio = need.flops / stage["flops_per_image"]
      print(
        f"stage {program.index + 1} in {cost.gib(memory)}: microbatch "
        f"{microbatch}, accumulate={need.accumulate}, remat={need.remat}: "
        f"{_mib(need.total + cost.reserved())} MiB, "
        f"{ratio:.2f} times the operations"
      )
