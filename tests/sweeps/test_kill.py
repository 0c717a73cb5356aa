"""Killed sweeps end their runs, and resume."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]


def start(workdir, *flags):
  """A sweep in a new process, on one device."""
  return subprocess.Popen(
    [sys.executable, "-m", "jaxgen", "sweep", f"--workdir={workdir}", *flags],
    cwd=ROOT,
    env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def children(pid):
  """The ids of the processes that a process has started."""
  found = []
  for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try:
      fields = path.read_text().rpartition(")")[2].split()
    except OSError:
      continue
    if fields[1] == str(pid):
      found.append(int(path.parent.name))
  return found


def until(condition, seconds=240):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end, "it did not happen"
    time.sleep(0.05)


def gone(pid):
  """Whether a process has ended (as a zombie, it has)."""
  try:
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
  except OSError:
    return True
  return stat.rpartition(")")[2].split()[0] == "Z"


def test_a_killed_sweep_leaves_nothing_behind_and_resumes(tmp_path):
  workdir = tmp_path / "w"
  first, second = (workdir / "one" / f"latent_dim_{x}" for x in (4, 16))
  sweep = start(workdir, f"--config={ROOT}/tests/support/toy_sweep.py:two")
  until(lambda: (second / "config.json").exists())  # it trains
  (child,) = children(sweep.pid)
  os.kill(sweep.pid, signal.SIGKILL)
  sweep.communicate(timeout=60)
  until(lambda: gone(child), seconds=10)
  written = (first / "outcome.json").stat().st_mtime_ns
  assert not (second / "outcome.json").exists()
  sweep = start(workdir)
  said, _ = sweep.communicate(timeout=240)
  assert sweep.returncode == 0, said
  assert "one: 2 runs, 1 to do" in said
  assert re.findall("one/(.*): started", said) == ["latent_dim_16"]
  assert (first / "outcome.json").stat().st_mtime_ns == written
  measures = json.loads((second / "outcome.json").read_text())["measures"]
  assert (
    measures["train_images"] == 96 and (workdir / "one/choice.json").exists()
  )
  assert "resuming" in (second / "log.txt").read_text() or (
    (second / "log.txt").read_text().count("finished: 96 images") == 1
  )


def test_a_stop_reaches_the_runs_and_all_failures_are_reported(tmp_path):
  workdir = tmp_path / "w"
  sweep = start(workdir, f"--config={ROOT}/tests/support/toy_sweep.py:failing")
  until(lambda: children(sweep.pid))
  (child,) = children(sweep.pid)
  sweep.send_signal(signal.SIGTERM)
  said, _ = sweep.communicate(timeout=120)
  assert sweep.returncode == 128 + signal.SIGTERM and "stopped" in said
  assert gone(child)
  sweep = start(workdir)
  said, _ = sweep.communicate(timeout=240)
  assert sweep.returncode == 1 and "patch_size" in said.splitlines()[-1]
  assert said.splitlines()[-1].startswith("error: one:")
  sweep = start(workdir)
  again, _ = sweep.communicate(timeout=60)
  assert sweep.returncode == 1 and "one: 1 run, 0 to do" in again
