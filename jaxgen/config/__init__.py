"""Typed configs: sections, parsing, defaults and variants for config files.

The module is callable: `jaxgen.config("textures_patch_ae:demo")`; see `load`.
"""

from __future__ import annotations

import pathlib
from typing import Any

from jaxgen.callables import make_callable

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def load(name: str, **overrides: Any) -> Any:
  """Load a config by its file's path or its name in `configs/`.

      config = jaxgen.config("rocks_edm:smoke", **{"data.seed": 3})

  Args:
    name: `FILE.py[:variant]` or `NAME[:variant]`.
    **overrides: values of fields, `section.field`.

  Returns:
    A mutable ConfigDict, for `jaxgen.train`.

  Raises:
    UserError: a missing or broken file, or an unknown field.
  """
  from ml_collections import ConfigDict

  from jaxgen.config.files import load_config
  from jaxgen.config.overrides import apply_overrides

  path, _, variant = name.partition(":")
  if not path.endswith(".py"):
    path = str(CONFIGS / f"{path}.py")
  config = load_config(f"{path}:{variant}" if variant else path, [])
  return ConfigDict(apply_overrides(config.to_dict(), overrides))


make_callable(__name__, load)
