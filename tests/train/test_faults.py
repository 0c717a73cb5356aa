"""Real faults: processes that are killed, stopped and run into each other."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from faults import LAST, assert_same_run, command, rows, steps

import jaxgen
from jaxgen.cli.main import main

SLOW = 120  # seconds that anything here may take on a busy machine


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The workdir of a run that nothing disturbed."""
  workdir = tmp_path_factory.mktemp("whole") / "run"
  assert main(command(workdir)) == 0
  return workdir


def wait_for(there, process: subprocess.Popen | None = None) -> None:
  """Until `there()` is true, looking every millisecond."""
  end = time.monotonic() + SLOW
  while not there():
    if process is not None and process.poll() is not None:
      raise AssertionError("it ended before:\n" + process.communicate()[0])
    assert time.monotonic() < end, "it never came to that"
    time.sleep(0.001)


def start(arguments: list[str]) -> subprocess.Popen:
  """`jaxgen` in a process group of its own."""
  return subprocess.Popen(
    [sys.executable, "-m", "jaxgen.cli.main", *arguments],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    start_new_session=True,
  )


def saved(workdir: pathlib.Path, step: int):
  return lambda: (workdir / f"checkpoints/{step}").is_dir()


def saving(workdir: pathlib.Path, step: int):
  """Whether a save of that step or a later one is in progress."""

  def there() -> bool:
    names = [p.name for p in workdir.glob("checkpoints/*-tmp")]
    return any(int(name.partition(".")[0]) >= step for name in names)

  return there


def interrupt(when, number: signal.Signals) -> threading.Thread:
  """Send this process a signal as soon as `when()`."""

  def wait() -> None:
    wait_for(when)
    os.kill(os.getpid(), number)

  thread = threading.Thread(target=wait)
  thread.start()
  return thread


def test_kill_9_in_the_middle_of_saves_changes_nothing(whole, tmp_path, capsys):
  process = start(command(tmp_path))
  try:
    wait_for(saved(tmp_path, 2), process)
    assert main(command(tmp_path)) == 2  # meanwhile nobody else may train here
    assert "in use by another training process" in capsys.readouterr().err
    wait_for(saving(tmp_path, 4), process)
  finally:
    process.kill()
    process.communicate()
  complete = steps(tmp_path)
  assert 0 < complete[-1] < LAST
  assert main(command(tmp_path)) == 0
  assert f"resuming at step {complete[-1]}" in capsys.readouterr().out
  assert_same_run(whole, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_asked_to_stop_changes_nothing(whole, tmp_path, capsys, number):
  thread = interrupt(saving(tmp_path, 3), number)
  assert main(command(tmp_path)) == 0
  thread.join()
  step = steps(tmp_path)[-1]
  said = capsys.readouterr()
  message = f"stopped by {number.name}: step {step} is saved; the same command"
  assert message in said.out and said.err == ""
  assert 3 <= step < LAST
  assert main(command(tmp_path)) == 0
  assert f"resuming at step {step}" in capsys.readouterr().out
  assert_same_run(whole, tmp_path)


def test_a_signal_to_the_whole_group_leaves_the_workers_working(tmp_path):
  """As a terminal sends Ctrl-C and a batch system SIGTERM."""
  process = start(command(tmp_path, **{"data.workers": 2}))
  try:
    wait_for(saved(tmp_path, 2), process)
    os.killpg(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=SLOW)[0]
  finally:
    process.kill()
  assert process.returncode == 0, said
  assert "stopped by SIGTERM" in said and "Traceback" not in said
  with pytest.raises(ProcessLookupError):  # nobody is left in the group
    os.killpg(process.pid, 0)


def test_a_reader_removes_nothing_while_a_training_writes(
  whole, tmp_path, monkeypatch
):
  """Readers at every save of a run, which is the same as without them."""
  found = []
  from jaxgen.train.loop import Run

  save = Run.save

  def read_too(run, state, *args):
    save(run, state, *args)
    if int(state.step) in (3, 7):
      found.append(jaxgen.load(tmp_path, "latest").step)

  monkeypatch.setattr(Run, "save", read_too)
  assert main(command(tmp_path)) == 0
  assert len(found) == 2 and 2 <= found[0] <= 3 and 6 <= found[1] <= 7
  assert_same_run(whole, tmp_path)


def test_ctrl_c_before_the_training_is_one_line(tmp_path, monkeypatch, capsys):
  def press(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)

  monkeypatch.setattr("jaxgen.config.load_config", press)
  assert main(command(tmp_path)) == 130
  assert capsys.readouterr().err == "error: interrupted.\n"


def test_a_run_says_nothing_but_its_own_words(whole, tmp_path):
  """No library's warnings, in a process of its own."""
  process = start(command(tmp_path, **{"train.log_images": 192}))
  said = process.communicate(timeout=SLOW)[0]
  assert process.returncode == 0
  starts = [line.split()[0] for line in said.splitlines()]
  assert starts == ["step", "step", "finished:"]
  scores = [row["validation/psnr"] for row in rows(tmp_path)]
  best = np.asarray([float(x) for x in scores if x])
  assert (best > 10).all()
