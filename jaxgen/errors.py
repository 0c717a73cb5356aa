"""The two ways in which a program here ends early, as exceptions."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator


class UserError(Exception):
  """A mistake of the person at the keyboard: exit status 2.

  The message is one or two lines that name the culprit and the remedy; the
  command line prints it without a traceback.
  """


class RunError(Exception):
  """A run that cannot go on (NaN, full disk): exit status 1, no traceback."""


@contextlib.contextmanager
def writing(path: pathlib.Path) -> Iterator[None]:
  """Name the file where the disk is full or will not have it.

  Raises:
    RunError: instead of an OSError of the block.
  """
  try:
    yield
  except OSError as e:
    reason = e.strerror or str(e) or type(e).__name__
    raise RunError(f"{path} could not be written ({reason}).") from e
