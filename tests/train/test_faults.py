"""Real faults: processes that are killed, stopped and run into each other."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from faults import LAST, assert_same_run, command, steps

import jaxgen
from jaxgen.cli.main import main
from jaxgen.train.setup import Run

SLOW = 120  # seconds that anything here may take on a busy machine


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


def kill_in_a_save(workdir: pathlib.Path, argv: list[str], meanwhile=None):
  """Kill a training while it writes its fourth checkpoint, or a later one."""
  process = start(argv)
  try:
    wait_for(saved(workdir, 2), process)
    if meanwhile:
      meanwhile()
    wait_for(saving(workdir, 4), process)
  finally:
    process.kill()
    process.communicate()
  assert 0 < steps(workdir)[-1] < LAST


def go_on(argv: list[str]) -> list[str]:
  """Resume in a process of its own, to the end; what it says."""
  again = start(argv)
  said = again.communicate(timeout=SLOW)[0]
  assert again.returncode == 0, said
  return said.splitlines()


def gone(group: int) -> bool:
  """Whether no process is left in a group."""
  try:
    os.killpg(group, 0)
  except ProcessLookupError:
    return True
  return False


def interrupt(when, number: signal.Signals) -> threading.Thread:
  """Send this process a signal as soon as `when()`."""

  def wait() -> None:
    wait_for(when)
    os.kill(os.getpid(), number)

  thread = threading.Thread(target=wait)
  thread.start()
  return thread


def test_kill_9_in_the_middle_of_saves_changes_nothing(whole, tmp_path, capsys):
  def nobody_else():
    assert main(command(tmp_path)) == 2
    assert "in use by another training process" in capsys.readouterr().err

  kill_in_a_save(tmp_path, command(tmp_path), meanwhile=nobody_else)
  newest, said = steps(tmp_path)[-1], go_on(command(tmp_path))
  assert said[0].startswith(f"resuming at step {newest} ")
  assert said[-1].startswith("finished: ")
  assert {line.split()[0] for line in said[1:-1]} == {"step"}  # no warnings
  assert_same_run(whole, tmp_path)


def test_being_asked_to_stop_changes_nothing(whole, tmp_path, capsys):
  start_at = 0
  for number, step in ((signal.SIGTERM, 3), (signal.SIGINT, 7)):
    thread = interrupt(saving(tmp_path, step), number)
    assert main(command(tmp_path)) == 0
    thread.join()
    said = capsys.readouterr()
    assert said.err == ""
    assert start_at == 0 or f"resuming at step {start_at} " in said.out
    start_at = steps(tmp_path)[-1]
    assert step <= start_at < LAST
    message = f"stopped by {number.name}: step {start_at} is saved; the same"
    assert message in said.out
  assert main(command(tmp_path)) == 0
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
  assert {x.split()[0] for x in said.splitlines()} <= {"step", "stopped"}
  assert "stopped by SIGTERM" in said
  wait_for(lambda: gone(process.pid))


def test_a_reader_removes_nothing_while_a_training_writes(
  whole, tmp_path, monkeypatch
):
  """The run ends up as it does without a reader."""
  found = []
  save = Run.save

  def read_too(run, state, *args):
    save(run, state, *args)
    if int(state.step) == 7:
      found.append(jaxgen.load(tmp_path, "latest").step)

  monkeypatch.setattr(Run, "save", read_too)
  assert main(command(tmp_path)) == 0
  assert found in ([6], [7])
  assert_same_run(whole, tmp_path)


def test_ctrl_c_before_the_training_is_one_line(tmp_path, monkeypatch, capsys):
  def press(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)

  monkeypatch.setattr("jaxgen.config.load_config", press)
  assert main(command(tmp_path)) == 130
  assert capsys.readouterr().err == "error: interrupted.\n"
