"""Packages that only some file formats need."""

from __future__ import annotations

import importlib
from typing import Any


def load(module: str, *, extra: str) -> Any:
  """A module of an optional package.

  Raises:
    ValueError: it is not installed; names the extra that has it.
  """
  try:
    return importlib.import_module(module)
  except ImportError as error:
    package = module.partition(".")[0]
    raise ValueError(
      f"needs {package}: pip install 'jaxgen[{extra}]'"
    ) from error
