"""Paths that are addresses of object stores."""

from __future__ import annotations

import pathlib
import re

from jaxgen.errors import UserError

_STORE = re.compile(r"(?!hf:)[a-z][a-z0-9+.-]+:/")  # a path has one slash less


def check_local(path: str | pathlib.Path, name: str) -> None:
  """Raise a UserError for a path `gs://...`, `s3://...` or the like.

  Args:
    path: what is to be a folder or a file; `hf://` is no store.
    name: of the flag or argument, for the message.
  """
  if found := _STORE.match(str(path)):
    address = re.sub(":/+", "://", str(path), count=1)
    store = found.group().rstrip(":/")
    raise UserError(
      f"{name}={address}: {store}:// is not supported; use a folder of this "
      "machine, and copy it to the bucket when the run is finished."
    )
