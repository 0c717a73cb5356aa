"""Real faults: killed, interrupted and concurrent processes."""

import os
import signal
import subprocess
import sys
import time

import pytest
from support.faults import (
  LAST,
  SLOW,
  assert_same_run,
  command,
  go_on,
  gone,
  interrupt,
  kill_in_a_save,
  saved,
  saving,
  start,
  steps,
  wait_for,
)

import jaxgen
from jaxgen.cli.main import main
from jaxgen.train import loop

pytestmark = pytest.mark.slow


@pytest.mark.user_path
def test_kill_9_in_the_middle_of_saves_changes_nothing(whole, tmp_path, capsys):
  def nobody_else():
    assert main(command(tmp_path)) == 2
    assert "in use by another training process" in capsys.readouterr().err

  kill_in_a_save(tmp_path, command(tmp_path), meanwhile=nobody_else)
  newest, said = steps(tmp_path)[-1], go_on(command(tmp_path))
  assert any(x.startswith(f"resuming at step {newest} ") for x in said)
  assert said[-1].startswith("finished: ")
  assert not any("arning" in line for line in said)
  assert_same_run(whole, tmp_path)


def test_a_request_to_stop_changes_nothing(whole, tmp_path, capsys):
  start_at = 0
  for number, step in ((signal.SIGTERM, 3), (signal.SIGINT, 7)):
    thread = interrupt(saving(tmp_path, step), number)
    assert main(command(tmp_path)) == 128 + number
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
  assert process.returncode == 128 + signal.SIGTERM, said
  assert "Traceback" not in said and "rror" not in said
  assert said.splitlines()[-1].startswith("stopped")
  assert "stopped by SIGTERM" in said
  wait_for(lambda: gone(process.pid))


def test_a_reader_removes_nothing_while_a_training_writes(
  whole, tmp_path, monkeypatch
):
  """The run ends up as it does without a reader."""
  found = []
  save = loop.save_checkpoint

  def read_too(run, state, *args):
    save(run, state, *args)
    if int(state.step) == 7:
      found.append(jaxgen.load(tmp_path, "latest").step)

  monkeypatch.setattr(loop, "save_checkpoint", read_too)
  assert main(command(tmp_path)) == 0
  assert found in ([6], [7])
  assert_same_run(whole, tmp_path)


def test_ctrl_c_before_the_training_is_one_line(tmp_path, monkeypatch, capsys):
  def press(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)

  monkeypatch.setattr("jaxgen.config.files.load_config", press)
  assert main(command(tmp_path)) == 130
  assert capsys.readouterr().err == "error: interrupted.\n"


PHASES = {  # functions in whose midst the signal comes; each then takes long
  "opened": "jaxgen.planning.autobatch.stage_programs",
  "checked": "jaxgen.train.run.check_stages",
  "restored": "jaxgen.train.run._restore",
  "compiled": "jaxgen.train.loop.first_step",
}
IN_PYTHON = """
def slow(*_, **__):
  print("now", flush=True)
  for _ in range(600): time.sleep(0.1)
"""
IN_C = """
def slow(*_, **__):  # as a compilation does, it does not return to Python
  print("now", flush=True)
  ctypes.CDLL(None).sleep(60) or ctypes.CDLL(None).sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
  ("phase", "how"),
  [*((phase, IN_PYTHON) for phase in PHASES), ("compiled", IN_C)],
)
def test_a_signal_before_the_first_step_ends_at_once(
  tmp_path, number, phase, how
):
  module, _, name = PHASES[phase].rpartition(".")
  code = (
    f"import atexit, ctypes, sys, time, {module} as module\n"
    "from jaxgen.cli.main import main\n"
    "atexit.register(time.sleep, 60)  # as the teardown of a busy backend\n"
    f"{how}\nmodule.{name} = slow\nsys.exit(main())"
  )
  process = subprocess.Popen(
    [sys.executable, "-c", code, *command(tmp_path)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    assert process.stdout
    assert "now\n" in iter(process.stdout.readline, "")
    begin = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=SLOW)
    seconds = time.monotonic() - begin
  finally:
    process.kill()
  assert process.returncode == 128 + number
  *progress, error = said.splitlines()
  assert error.startswith(
    f"error: stopped by {number.name} with nothing to save"
  )
  assert all("images" in line for line in progress)  # on a busy machine
  assert seconds < 20  # the others end after a minute
