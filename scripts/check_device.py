#!/usr/bin/env python3
"""Check an accelerator, and jaxgen on it, in at most ten minutes.

    python scripts/check_device.py [--json=device.json] [--only=attention]

Ten checks, each in a process of its own with a time limit, so that one that
fails or hangs does not stop the others. A check of several parts starts no part
after its time; its result says how many there were. Prints a table and writes
all numbers; exits with status 1 if a check fails. `--smallest` takes minutes on
a CPU and only tests the script.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from device_checks import numerics, speed, training
from device_checks.check import Check, Options, Row, row
from rich.console import Console
from rich.table import Table

TOTAL = 600  # seconds of all checks
GRACE = 60  # seconds that a check may take beyond its own
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
LITTLE = {
  "XLA_PYTHON_CLIENT_PREALLOCATE": "true",
  "XLA_PYTHON_CLIENT_MEM_FRACTION": training.SHARE,
}
CHECKS = (
  Check(name="device", run=numerics.versions, seconds=20),
  Check(name="doctor", run=numerics.doctor, seconds=60),
  Check(name="attention", run=numerics.attentions, seconds=70),
  Check(name="families", run=training.families, seconds=100),
  Check(
    name="determinism",
    run=training.determinism,
    seconds=50,
    environment={"XLA_FLAGS": DETERMINISTIC},
  ),
  Check(name="other_device", run=numerics.other_device, seconds=30),
  Check(name="features", run=numerics.features, seconds=30),
  Check(name="plan", run=training.plan, seconds=40),
  Check(
    name="out_of_memory",
    run=training.out_of_memory,
    seconds=40,
    environment=LITTLE,
  ),
  Check(name="speed", run=speed.rates, seconds=60),
)
Rows = list[Row]
COLORS = {"holds": "green", "not applicable": "yellow"}


def main(argv: list[str] | None = None) -> int:
  """Run the checks; returns 1 if one fails."""
  args = _arguments(argv)
  chosen = [x for x in CHECKS if not args.only or x.name in args.only]
  if args.in_this_process:
    rows = [_here(x, args) for x in chosen]
  else:
    rows = _in_processes(chosen, args)
    _show(rows)
  if args.json:
    args.json.write_text(json.dumps(rows, indent=2, default=str) + "\n")
  good = all(x["verdict"] in COLORS for x in rows)
  return 0 if good else 1


def _arguments(argv: list[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    "--json", type=pathlib.Path, help="also write all numbers to this file"
  )
  parser.add_argument(
    "--only",
    action="append",
    choices=[x.name for x in CHECKS],
    help="run only this check; repeatable",
  )
  parser.add_argument(
    "--smallest", action="store_true", help="as little as possible, for tests"
  )
  parser.add_argument(
    "--inception_weights", default="", help="weight file of Inception"
  )
  parser.add_argument(
    "--in_this_process", action="store_true", help=argparse.SUPPRESS
  )
  return parser.parse_args(argv)


def _here(check: Check, args: argparse.Namespace) -> Row:
  with tempfile.TemporaryDirectory() as folder:
    options = Options(
      folder=pathlib.Path(folder),
      smallest=args.smallest,
      end=time.monotonic() + check.seconds,
      inception_weights=args.inception_weights,
    )
    return row(check, options)


def _in_processes(checks: Sequence[Check], args: argparse.Namespace) -> Rows:
  """The rows of checks, each run in another process. They share compiled
  programs, but no earlier ones, whose compilation would not be checked."""
  end, rows = time.monotonic() + TOTAL, []
  with tempfile.TemporaryDirectory() as cache:
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", cache)
    for check in checks:
      print(f"{check.name} ...", file=sys.stderr, flush=True)
      left = TOTAL if args.smallest else end - time.monotonic()
      rows.append(_in_process(check, args, min(check.seconds + GRACE, left)))
  return rows


def _in_process(check: Check, args: argparse.Namespace, limit: float) -> Row:
  """The row of a check that runs in another process, also if that dies."""
  with tempfile.TemporaryDirectory() as folder:
    path, start = pathlib.Path(folder) / "row.json", time.monotonic()
    command = [sys.executable, __file__, f"--only={check.name}"]
    command += ["--in_this_process", f"--json={path}"]
    command += [f"--inception_weights={args.inception_weights}"]
    command += ["--smallest"] if args.smallest else []
    log = pathlib.Path(folder) / "log"
    reason = _run(command, check, log=log, limit=max(limit, 0))
    if path.is_file():
      return json.loads(path.read_text())[0]
    end = log.read_text(errors="replace")[-4000:]
    return {
      "name": check.name,
      "verdict": "FAILED",
      "seconds": round(time.monotonic() - start, 1),
      "summary": reason,
      "values": {"output": end},
    }


def _run(
  command: list[str], check: Check, *, log: pathlib.Path, limit: float
) -> str:
  """Run a command with the environment of a check for at most `limit` seconds;
  returns how it ended."""
  environment = os.environ | check.environment
  if "XLA_FLAGS" in os.environ and "XLA_FLAGS" in check.environment:
    both = (os.environ["XLA_FLAGS"], check.environment["XLA_FLAGS"])
    environment["XLA_FLAGS"] = " ".join(both)
  with log.open("w") as output:
    try:
      done = subprocess.run(
        command,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
        timeout=limit,
      )
    except subprocess.TimeoutExpired:
      return f"not finished after {limit:.0f} s"
  return f"its process ended with status {done.returncode}"


def _show(rows: list[Row]) -> None:
  table = Table("check", "verdict", "seconds", "result", title="Device")
  for x in rows:
    color = COLORS.get(x["verdict"], "red")
    verdict = f"[{color}]{x['verdict']}[/]"
    table.add_row(x["name"], verdict, f"{x['seconds']:.0f}", x["summary"])
  Console().print(table)


if __name__ == "__main__":
  sys.exit(main())
