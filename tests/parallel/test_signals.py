import os
import signal

import pytest

from jaxgen.parallel.signals import handling

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
