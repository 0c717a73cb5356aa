"""Small models of diffusers, as `scripts/compare_diffusers.py` has written
them with their outputs."""

import json
import pathlib
from typing import Any

from support.configs import ROOT

DATA = ROOT / "tests" / "interop" / "data"
CONFIG = "config.json"


def change(folder: pathlib.Path, file: str = CONFIG, **fields: Any) -> None:
  """Change fields of a config; those that are `...` are removed."""
  path = folder / file
  config = json.loads(path.read_text()) | fields
  kept = {k: v for k, v in config.items() if v is not ...}
  path.write_text(json.dumps(kept))
