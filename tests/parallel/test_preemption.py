import os
import signal
import time

import pytest

from jaxgen.errors import Interrupted
from jaxgen.parallel import preemption
from jaxgen.parallel.preemption import watching


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_kept_until_it_is_read(number):
  with watching() as stop:
    assert not stop.requested(1)
    os.kill(os.getpid(), number)
    assert stop.requested(2)
    assert stop.signal is number


def test_sigterm_may_come_twice():
  """`timeout` and batch systems signal the process, then its group."""
  try:
    with watching() as stop:
      os.kill(os.getpid(), signal.SIGTERM)
      os.kill(os.getpid(), signal.SIGTERM)
      assert stop.requested(1)
  except KeyboardInterrupt:
    pytest.fail("it ended without saving")


def test_ctrl_c_twice_stops_at_once():
  with watching():
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
      os.kill(os.getpid(), signal.SIGINT)


def test_afterwards_signals_do_what_they_did():
  before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
  with watching():
    pass
  after = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
  assert after == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_nothing_to_save_a_signal_ends_the_run_at_once(number):
  with watching() as stop:
    stop.at_once = True
    with pytest.raises(Interrupted, match=number.name) as ended:
      os.kill(os.getpid(), number)
    assert ended.value.status == 128 + number
    assert not isinstance(ended.value, Exception)  # no handler swallows it
    stop.at_once = False
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested(1)


def test_the_process_lives_while_its_main_thread_obeys(monkeypatch):
  monkeypatch.setattr(preemption, "PATIENCE", 0.2)
  with watching(lambda number: 128 + number) as stop:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.5)  # something may be saved
    stop.at_once = True
    with pytest.raises(Interrupted):
      os.kill(os.getpid(), signal.SIGTERM)
  time.sleep(0.5)
  assert signal.set_wakeup_fd(-1) == -1  # nothing is left behind
