"""Fuzz the command line: malformed input for every verb, and kills at random.

  python scripts/fuzz.py                       all of it, at most 15 minutes
  python scripts/fuzz.py --seed=7 --minutes=5 --only=malformed

At least 150 malformed inputs must each end with status 2 and one error without
a traceback; 30 kills over six families must each leave a run that resumes to
the same bits. Prints what failed and `n of n`; the exit status is 1 if anything
failed or the time was not enough.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import sys
import tempfile
import time

from fuzzing import kills, malformed

KILLS = 5  # of each family


def main() -> int:
  """Fuzz; returns the exit status."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--minutes", type=float, default=14)
  parser.add_argument("--only", choices=("malformed", "kills"), default="")
  args = parser.parse_args()
  end = time.monotonic() + 60 * args.minutes
  passed = True
  with tempfile.TemporaryDirectory() as folder:
    if args.only != "kills":
      passed &= _fuzz_input(pathlib.Path(folder), args.seed, end)
    if args.only != "malformed":
      passed &= _fuzz_kills(pathlib.Path(folder), args.seed, end)
  return 0 if passed else 1


def _fuzz_input(folder: pathlib.Path, seed: int, end: float) -> bool:
  run = folder / "run"
  _, fields = kills.FAMILIES["patch autoencoder"]
  problem = kills.run_to_end(
    kills.training("textures_patch_ae:smoke", fields)(run)
  )
  cases = malformed.cases(folder / "input", seed)
  cases += malformed.with_input(run, folder / "input", seed)
  good = 0
  for case in [] if problem else cases:
    if time.monotonic() > end:
      break
    fault = malformed.fault(case)
    good += not fault
    if fault:
      print(f"{case}\n  {fault}", flush=True)
  print(f"{problem}malformed input: {good} of {len(cases)} are refused")
  return good == len(cases)


def _fuzz_kills(folder: pathlib.Path, seed: int, end: float) -> bool:
  rng, good, names = random.Random(seed), 0, kills.families(folder)
  for i, (name, argv) in enumerate(names.items()):
    place = folder / str(i)
    place.mkdir()
    problems = []
    for problem in kills.kill_and_resume(argv, place, kills=KILLS, rng=rng):
      problems.append(problem)
      if time.monotonic() > end:
        break
    done = len(problems) == KILLS
    good += KILLS if done and not any(problems) else 0
    verdict = (
      "".join(problems) or "the same bits" if done else "no time is left"
    )
    print(f"{name}: {verdict}", flush=True)
  total = KILLS * len(names)
  print(f"kills: {good} of {total} are resumed to the same bits")
  return good == total


if __name__ == "__main__":
  sys.exit(main())
