"""Errors of users and of runs."""

import pathlib

import pytest

from jaxgen.errors import RunError, writing


@pytest.mark.parametrize("error", [OSError(28, "No space left"), OSError()])
def test_a_file_that_cannot_be_written_is_named(error):
  with pytest.raises(RunError, match="^a/file could not be written") as e:
    with writing(pathlib.Path("a/file")):
      raise error
  assert e.value.__cause__ is error and "\n" not in str(e.value)


def test_other_errors_pass():
  with pytest.raises(ZeroDivisionError):
    with writing(pathlib.Path("x")):
      _ = 1 / 0
