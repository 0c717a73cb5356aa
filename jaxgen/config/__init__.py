"""Typed configs: sections, parsing, defaults and variants for config files.

The module is callable: `jaxgen.config("textures_patch_ae:demo")`; see `load`.
"""

from __future__ import annotations

from typing import Any

from jaxgen.callables import make_callable


def load(name: str, **overrides: Any) -> Any:
  """Load a config by its file's path or its name among jaxgen's own.

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

  config = load_config(name, [], label=f"name={name!r}")
  return ConfigDict(apply_overrides(config.to_dict(), overrides))


make_callable(__name__, f"{__name__}:load")
