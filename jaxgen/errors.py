"""Exceptions that end a program with a message instead of a traceback."""

from __future__ import annotations

import contextlib
import pathlib
import signal
from collections.abc import Iterator


class UserError(Exception):
  """An error in the user's input: exit status 2.

  The message is one line that names the cause and the remedy; the command line
  prints it without a traceback.
  """


class RunError(Exception):
  """A run that cannot continue (NaN, full disk): exit status 1, no
  traceback."""


class Interrupted(BaseException):
  """A program ended by a signal: exit status 128 + the signal's number, no
  traceback; the message may be empty.

  Attributes:
    signal: the signal.
  """

  def __init__(self, number: signal.Signals, message: str = ""):
    super().__init__(message)
    self.signal = number

  @property
  def status(self) -> int:
    """The exit status."""
    return exit_status(self.signal)


def exit_status(number: signal.Signals) -> int:
  """The exit status of a program ended by a signal, as shells have it."""
  return 128 + number


@contextlib.contextmanager
def writing(path: pathlib.Path) -> Iterator[None]:
  """Name the file if writing it fails, for example on a full disk.

  Raises:
    RunError: in place of an OSError in the block.
  """
  try:
    yield
  except OSError as e:
    reason = e.strerror or str(e) or type(e).__name__
    raise RunError(f"{path} could not be written ({reason}).") from e
