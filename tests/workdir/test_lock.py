import fcntl
import subprocess
import sys
import threading

import pytest

from jaxgen.errors import UserError
from jaxgen.workdir import lock

HOLD = """
import pathlib, sys, time
from jaxgen.train import lock
held = lock.take(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


def test_a_killed_process_holds_nothing(tmp_path):
  assert lock.held(tmp_path) is False  # nothing ever trained there
  process = subprocess.Popen(
    [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
  )
  try:
    assert process.stdout and process.stdout.readline() == b"held\n"
    assert lock.held(tmp_path) is True
    with pytest.raises(UserError, match="in use by another training"):
      lock.take(tmp_path)
  finally:
    process.kill()
    process.communicate()
  assert lock.held(tmp_path) is False


def test_looking_makes_no_lock(tmp_path):
  lock.held(tmp_path)
  assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_looked_at_is_not_known(tmp_path):
  (tmp_path / lock.NAME).mkdir()
  assert lock.held(tmp_path) is None


def test_who_looks_keeps_no_training_out(tmp_path):
  """A look holds the lock for a moment, here for a long one."""
  lock.take(tmp_path).close()
  look = (tmp_path / lock.NAME).open()
  fcntl.flock(look, fcntl.LOCK_SH)
  over = threading.Timer(lock.PAUSE, look.close)
  over.start()
  with lock.take(tmp_path):
    assert lock.held(tmp_path) is True
  over.join()
