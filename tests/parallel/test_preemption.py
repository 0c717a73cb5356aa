import os
import signal

import pytest

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
