"""Compare the speed of jaxgen's networks with the same ones in PyTorch.

    python scripts/benchmark_peers.py --torch_python=ENV/bin/python
    python scripts/benchmark_peers.py --only=unet,patch_ae --rounds=20

Times the forward pass and the training step (gradient and Adam) of each network
of `peers/cases.py` in float32, and of the U-Net also with flax's own group norm
and attention. With `--torch_python`, the interpreter of an environment that has
PyTorch, the same networks are run eagerly and by `torch.compile`, in a process
of their own that is idle meanwhile. They start from the same weights, and their
outputs must be equal. `sampling` compares a sampler with as many calls of its
denoiser.

Programs take turns in each round, so that a load of the machine affects all.
Prints medians with their quartiles, and the median of the rounds' ratios with
the lowest and the highest.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import jax
from peers import jax_programs
from peers.cases import CASES, UNET, Case, smallest
from peers.stock_layers import stock_layers
from peers.table import CALLS, COMPILED, EAGER, HEADER, OURS, STOCK, Row
from peers.timing import Seconds
from peers.torch_process import TorchError, TorchProcess

from jaxgen.cli import flags
from jaxgen.parallel import sharding

Call = Callable[[], Seconds]
SAMPLING = "sampling"
PAUSE = 0.02  # seconds in which the threads of the last program fall asleep


def main(argv: list[str] | None = None) -> None:
  """Measure and print."""
  args = parse(argv)
  try:
    report(args)
  except TorchError as e:
    print(f"error: {e}", file=sys.stderr)
    sys.exit(2)


def report(args: argparse.Namespace) -> None:
  """Print the table, and write the times."""
  sharding.make_mesh()  # sets up the process, as all of jaxgen's work does
  rows: list[Row] = []
  print(HEADER, flush=True)
  with torch_process(args.torch_python) as torch:
    for row in measure(args, torch):
      rows.append(row)
      print("\n".join(row.lines()), flush=True)
    versions = {"jax": jax.__version__, "torch": torch and torch.version}
  print("\n" + ", ".join(f"{k} {v}" for k, v in versions.items() if v))
  if args.json:
    content = versions | {"rows": [x.to_json() for x in rows]}
    args.json.write_text(json.dumps(content, indent=1))


def parse(argv: list[str] | None) -> argparse.Namespace:
  """The command line's options."""
  parser = argparse.ArgumentParser(description=__doc__)
  names = [*CASES, SAMPLING]
  parser.add_argument("--torch_python", help="interpreter that has PyTorch")
  parser.add_argument(
    "--rounds",
    type=flags.integer(1),
    default=10,
    help="timed rounds (default: 10)",
  )
  parser.add_argument(
    "--only", default=",".join(names), help=f"any of {', '.join(names)}"
  )
  parser.add_argument("--json", type=pathlib.Path, help="file for all times")
  parser.add_argument(
    "--smallest", action="store_true", help="the smallest networks, for tests"
  )
  parser.add_argument(
    "--no_compile", action="store_true", help="leave out torch.compile"
  )
  args = parser.parse_args(argv)
  args.only = args.only.split(",")
  if unknown := set(args.only) - set(names):
    parser.error(f"--only: {unknown} must be any of {', '.join(names)}")
  return args


@contextlib.contextmanager
def torch_process(python: str | None) -> Iterator[TorchProcess | None]:
  """PyTorch's process within the block, if there is an interpreter."""
  if python is None:
    yield None
    return
  with tempfile.TemporaryDirectory() as folder:
    process = TorchProcess(python, folder=pathlib.Path(folder))
    try:
      yield process
    finally:
      process.close()


def measure(
  args: argparse.Namespace, torch: TorchProcess | None
) -> Iterator[Row]:
  """The rows of the requested networks."""
  shrink = smallest if args.smallest else lambda case: case
  for case in [shrink(x) for x in CASES.values() if x.name in args.only]:
    if torch:
      torch.build(case)
    for part in ("forward", "train"):
      calls = jax_calls(case, part)
      if torch:
        calls |= torch_calls(case, part, torch, compiled=not args.no_compile)
      goals = {EAGER: case.goals[part]} if part in case.goals else {}
      yield Row(
        network=case.name,
        part=part,
        times=rounds(calls, args.rounds),
        goals=goals,
      )
  if SAMPLING in args.only:
    case = shrink(UNET)
    calls = {OURS: jax_programs.sample(case)}
    calls[CALLS] = jax_programs.denoiser_calls(case)
    times = rounds(warm(calls), args.rounds)
    yield Row(
      network=case.name, part="sample", times=times, goals={CALLS: 1.01}
    )


def jax_calls(case: Case, part: str) -> dict[str, Call]:
  """jaxgen's program, and for the U-Net that with stock layers."""
  program = {"forward": jax_programs.forward, "train": jax_programs.train}[part]
  calls = warm({OURS: program(case)})
  if case.name == UNET.name:
    with stock_layers():  # traced at its first call
      calls |= warm({STOCK: program(case)})
  return calls


def torch_calls(
  case: Case, part: str, torch: TorchProcess, *, compiled: bool
) -> dict[str, Call]:
  """PyTorch's programs."""
  run = functools.partial(torch.run, case.name, part)
  calls = {EAGER: functools.partial(run, compiled=False)}
  if compiled:
    calls[COMPILED] = functools.partial(run, compiled=True)
  return warm(calls)


def warm(calls: dict[str, Call]) -> dict[str, Call]:
  """Those of the programs that run, called three times: memory settles."""
  runs = {}
  for name, call in calls.items():
    try:
      for _ in range(3):
        call()
      runs[name] = call
    except TorchError as error:
      print(f"{name} is left out: {error}", flush=True)
  return runs


def rounds(calls: dict[str, Call], number: int) -> dict[str, list[Seconds]]:
  """Times of a number of rounds; every second one runs backwards."""
  times: dict[str, list[Seconds]] = {name: [] for name in calls}
  for i in range(number):
    for name in list(calls)[:: -1 if i % 2 else 1]:
      time.sleep(PAUSE)
      times[name].append(calls[name]())
  return times


if __name__ == "__main__":
  main()
