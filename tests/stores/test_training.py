"""Runs in a bucket on loopback: killed, resumed elsewhere, stopped, read."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.faults import (
  LAST,
  assert_same_run,
  command,
  interrupt,
  saving,
  wait_for,
)

import jaxgen
from jaxgen.api import initial_weights
from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.stores import lease, mirror
from jaxgen.stores.store import Store

bucket = pytest.importorskip("support.bucket")
pytestmark = pytest.mark.slow

KILLED = f"gs://{bucket.NAME}/runs/killed"
COPIED = f"gs://{bucket.NAME}/runs/copied"
PROGRAM = """
import sys
from jaxgen.cli.main import main
from jaxgen.stores import sender
sender.LOOK = 0.01
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def server():
  """The address of a bucket."""
  with bucket.serving() as address:
    yield address


@pytest.fixture
def machine(server, tmp_path, monkeypatch):
  """A function that moves to another machine, which has nothing of a run."""

  def machine(name):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / name))

  monkeypatch.setenv(bucket.VARIABLE, server)
  machine("a")
  return machine


@pytest.fixture
def copied(whole, machine):
  """The address of a run that was copied to the bucket."""
  store = Store(COPIED)
  if not store.list():
    for path in (x for x in whole.rglob("*") if x.is_file()):
      store.upload(path, path.relative_to(whole).as_posix())
  return COPIED


def saved():
  """The steps of complete checkpoints in the bucket."""
  names = map(
    re.compile(r"checksums/(\d+)\.json").fullmatch, Store(KILLED).list()
  )
  return sorted(int(x[1]) for x in names if x)


@pytest.mark.user_path
def test_a_run_moves_between_machines_and_changes_nothing(
  whole, machine, capsys, monkeypatch
):
  process = subprocess.Popen(
    [sys.executable, "-c", PROGRAM, *command(KILLED)],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )
  try:
    wait_for(lambda: time.sleep(0.2) or bool(saved()), process)
  finally:
    process.kill()
    process.communicate()
  newest = saved()[-1]
  assert 0 < newest < LAST

  machine("b")
  assert main(command(KILLED)) == 2
  found = capsys.readouterr().err
  assert f"process {process.pid}; sign of life" in found
  assert len(found.splitlines()) == 1

  monkeypatch.setattr(lease, "SILENCE", 0.0)
  thread = interrupt(
    saving(mirror.folder_of(KILLED), newest + 1), signal.SIGTERM
  )
  assert main(command(KILLED)) == 143
  thread.join()
  found = capsys.readouterr().out
  assert "taking over" in found and f"resuming at step {newest} " in found
  assert newest < saved()[-1] < LAST

  machine("c")
  newest = saved()[-1]
  assert main(command(KILLED)) == 0
  found = capsys.readouterr().out
  assert "taking over" not in found and f"resuming at step {newest} " in found
  assert found.splitlines()[-1] == f"the run is in {KILLED}."
  assert LAST in saved() and not [
    x for x in Store(KILLED).list() if "lock" in x
  ]

  machine("d")
  assert_same_run(whole, mirror.local(KILLED))


def test_a_copied_run_is_sampled_watched_and_started_from(
  whole, copied, tmp_path, capsys
):
  expected = jaxgen.load(whole).sample(4, seed=2)
  np.testing.assert_array_equal(jaxgen.load(copied).sample(4, seed=2), expected)
  out = tmp_path / "new"
  flags = [f"--workdir={copied}", "--num=2"]
  assert main(["sample", *flags, f"--out={out}"]) == 0
  assert (out / "grid.png").is_file()
  assert main(["monitor", f"--workdir={copied}"]) == 0
  found = capsys.readouterr().out
  assert f"{copied}, autoencoder" in found and "finished" in found
  fields = {"train.init_from": copied}
  experiment = parse(jaxgen.config("textures_patch_ae:smoke", **fields))
  initial = initial_weights(experiment, tmp_path / "next")
  assert (
    initial is not None and initial.experiment == jaxgen.load(whole).experiment
  )
  assert main(["evaluate", f"--workdir={copied}"]) == 2
  assert "--out is needed" in capsys.readouterr().err


def test_a_flipped_byte_in_the_bucket_is_found(copied):
  store = Store(copied)
  name = next(
    x for x in store.list() if x.startswith(f"checkpoints/{LAST}/ema/d/")
  )
  content = store.read(name) or b""
  store.write(name, bytes([content[0] ^ 1]) + content[1:])
  with pytest.raises(UserError, match="does not match its checksum"):
    jaxgen.load(copied, LAST)
  store.write(name, content)
  assert jaxgen.load(copied, LAST).step == LAST


def test_a_bucket_that_is_not_there_is_one_line(machine, capsys):
  for argv in (
    command("gs://nowhere/run"),
    ["sample", "--workdir=gs://nowhere/run", "--num=1", "--out=new"],
  ):
    assert main(argv) == 2
    found = capsys.readouterr().err
    assert "gs://nowhere/run: there is no such bucket" in found
    assert len(found.splitlines()) == 1
