import ctypes
import os
import signal
import threading
import time

import pytest

from jaxgen.parallel.signals import handling, waking

WATCHED = (signal.SIGUSR1, signal.SIGUSR2)


def test_signals_reach_the_handler_inside_the_block_only():
  seen = []
  outer = lambda number, frame: seen.append(("outer", number))  # noqa: E731
  inner = lambda number, frame: seen.append(("inner", number))  # noqa: E731
  with handling(outer, WATCHED):
    with handling(inner, WATCHED[:1]):
      for number in WATCHED:
        os.kill(os.getpid(), number)
    os.kill(os.getpid(), WATCHED[0])
  assert seen == [
    ("inner", WATCHED[0]),
    ("outer", WATCHED[1]),
    ("outer", WATCHED[0]),
  ]


def test_handlers_are_restored_after_an_error():
  before = [signal.getsignal(x) for x in WATCHED]
  with pytest.raises(ValueError), handling(lambda *_: None, WATCHED):
    raise ValueError
  assert [signal.getsignal(x) for x in WATCHED] == before


def test_another_thread_wakes_while_the_main_one_is_not_in_python():
  seen = []
  woken = lambda number, frame: seen.append((number, time.monotonic()))  # noqa: E731
  timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
  with waking(woken, WATCHED[:1]), handling(lambda *_: None, WATCHED):
    timer.start()
    begin = time.monotonic()
    while time.monotonic() < begin + 1 and not seen:
      ctypes.CDLL(None).poll(None, 0, 100)
    os.kill(os.getpid(), signal.SIGUSR2)  # not watched
  assert [number for number, _ in seen] == [signal.SIGUSR1]
