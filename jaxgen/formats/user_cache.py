"""The user's folder of files that only save time and may be deleted."""

from __future__ import annotations

import os
import pathlib

VARIABLE = "JAXGEN_CACHE_DIR"


def cache_folder(name: str) -> pathlib.Path | None:
  """The folder `name` in `$JAXGEN_CACHE_DIR`, by default `~/.cache/jaxgen` (or
  `$XDG_CACHE_HOME/jaxgen`); None if there is no home folder."""
  if folder := os.environ.get(VARIABLE):
    return pathlib.Path(folder, name)
  try:
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
  except RuntimeError:  # no home folder
    return None
  return pathlib.Path(home, "jaxgen", name)
