"""JSON files that hold one object."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from jaxgen.errors import UserError


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """The content of a JSON file; empty if there is no file.

  Raises:
    UserError: the file is damaged.
  """
  try:
    content = json.loads(path.read_text())
  except (FileNotFoundError, NotADirectoryError):
    return {}
  except ValueError as e:
    raise UserError(f"{path} is damaged ({e}): remove it.") from e
  if not isinstance(content, dict):
    raise UserError(f"{path} is damaged: remove it.")
  return content
