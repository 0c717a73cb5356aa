"""Addresses of object stores: `gs://BUCKET/NAME` and the like."""

from __future__ import annotations

import pathlib
import re

from jaxgen.errors import UserError

_STORE = re.compile(r"(?!hf:)([a-z][a-z0-9+.-]+):/+")  # a path has one slash
_ROOTED = ("file", "local", "memory")  # stores whose names begin with a slash


def store_of(path: str | pathlib.Path) -> str:
  """The name of the store of an address, such as `gs`; "" for a path of this
  machine and for `hf://`, which is no store."""
  found = _STORE.match(str(path))
  return found[1] if found else ""


def canonical(address: str | pathlib.Path) -> str:
  """An address with the slashes that a path has lost, and none at its end."""
  store, rest = store_of(address), _STORE.sub("", str(address), count=1)
  slash = "/" if store in _ROOTED else ""
  return f"{store}://{slash}{rest.rstrip('/')}"


def check_local(path: str | pathlib.Path, name: str) -> None:
  """Raise a UserError for a path `gs://...`, `s3://...` or the like.

  Args:
    path: what is to be a folder or a file; `hf://` is no store.
    name: of the flag or argument, for the message.
  """
  if store := store_of(path):
    raise UserError(
      f"{name}={canonical(path)}: {store}:// is only for runs, to train and to"
      " read; use a folder of this machine here."
    )
