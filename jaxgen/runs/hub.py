"""Runs that are not on this machine: in object stores, `gs://BUCKET/NAME` and
the like, and exported ones on the Hugging Face Hub, `hf://OWNER/NAME`, or
`hf://OWNER/NAME@REVISION`."""

from __future__ import annotations

import pathlib
import re

from jaxgen import progress
from jaxgen.errors import UserError
from jaxgen.formats import addresses, extras
from jaxgen.stores import mirror

PREFIX = "hf:/"  # a path has one slash less
_NAME = r"[\w.-]+"
_REFERENCE = re.compile(rf"hf:/{{1,2}}({_NAME}/{_NAME})(?:@([\w./-]+))?")
_FILES = ("*.json", "*.safetensors", "*.npz", "*.npy")  # of a run


def local(run: str | pathlib.Path, subfolder: str = "") -> pathlib.Path:
  """The folder of a run: that of a reference to the Hub, which is downloaded to
  the cache of `huggingface_hub` if it is not there, that of an address of a
  store (see `stores.mirror`), or the path itself; or a folder below it, of
  which alone the files are downloaded from the Hub.

  Raises:
    UserError: no such repository or run, no network, or a package is not
      installed.
  """
  if addresses.store_of(run):
    return mirror.local(run) / subfolder
  if not str(run).startswith(PREFIX):
    return pathlib.Path(run) / subfolder
  found = _REFERENCE.fullmatch(str(run))
  if found is None:
    raise UserError(f"{run}: expected hf://OWNER/NAME or hf://OWNER/NAME@REV.")
  name, revision = found.groups()
  try:
    return _download(name, revision, subfolder)
  except Exception as e:  # of its many kinds, and those of its libraries
    lines = [x for x in map(str.strip, str(e).splitlines()) if x]
    reason = " ".join(lines[:2]).rstrip(".") or type(e).__name__
    raise UserError(f"hf://{name}: {reason}.") from e


def _download(name: str, revision: str | None, subfolder: str) -> pathlib.Path:
  hub = extras.load("huggingface_hub", extra="hub")
  extras.load("huggingface_hub.utils", extra="hub").disable_progress_bars()
  patterns = [str(pathlib.PurePosixPath(subfolder, x)) for x in _FILES]
  with progress.loop(f"downloading hf://{name}"):
    folder = hub.snapshot_download(
      name, revision=revision, allow_patterns=patterns
    )
  return pathlib.Path(folder) / subfolder
