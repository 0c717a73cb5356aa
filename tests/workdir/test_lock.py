import fcntl
import subprocess
import sys
import threading

import pytest

from jaxgen.errors import UserError
from jaxgen.workdir import lock

HOLD = """
import pathlib, sys, time
from jaxgen.workdir import lock
with lock.hold(pathlib.Path(sys.argv[1])):
  print("held", flush=True)
  time.sleep(600)
"""


def hold(folder, **options):
  """Take a lock and release it."""
  with lock.hold(folder, **options):
    pass


def test_a_killed_process_holds_nothing(tmp_path):
  assert lock.is_held(tmp_path) is False  # nothing ever trained there
  process = subprocess.Popen(
    [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
  )
  try:
    assert process.stdout and process.stdout.readline() == b"held\n"
    assert lock.is_held(tmp_path) is True
    with pytest.raises(UserError, match=f"{tmp_path} .*{lock.TRAINING}"):
      hold(tmp_path)
  finally:
    process.kill()
    process.communicate()
  assert lock.is_held(tmp_path) is False


def test_looking_makes_no_lock(tmp_path):
  lock.is_held(tmp_path)
  assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_looked_at_is_not_known(tmp_path):
  (tmp_path / lock.NAME).mkdir()
  assert lock.is_held(tmp_path) is None


def test_who_looks_keeps_no_training_out(tmp_path):
  """A look holds the lock for a moment, here for a long one."""
  hold(tmp_path)
  look = (tmp_path / lock.NAME).open()
  fcntl.flock(look, fcntl.LOCK_SH)
  over = threading.Timer(lock.PAUSE, look.close)
  over.start()
  with lock.hold(tmp_path):
    assert lock.is_held(tmp_path) is True
  over.join()


def test_locks_of_two_names_are_two_and_each_names_its_holder(tmp_path):
  """As a sweep holds one of a folder in which it trains."""
  with lock.hold(tmp_path, name=".sweep", holder="sweep"):
    assert lock.is_held(tmp_path) is False
    assert lock.is_held(tmp_path, name=".sweep") is True
    hold(tmp_path)
    with pytest.raises(UserError, match=f"{tmp_path} .*sweep"):
      hold(tmp_path, name=".sweep", holder="sweep", patience=0.0)
  hold(tmp_path, name=".sweep", holder="sweep")


def test_a_holder_that_is_about_to_end_is_waited_for(tmp_path):
  other = (tmp_path / lock.NAME).open("w")
  fcntl.flock(other, fcntl.LOCK_EX)
  over = threading.Timer(2 * lock.PATIENCE, other.close)
  over.start()
  with pytest.raises(UserError):
    hold(tmp_path)
  hold(tmp_path, patience=60.0)
  over.join()
