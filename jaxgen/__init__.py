"""jaxgen: learn to generate and restore image tiles with JAX.

`run = jaxgen.load(workdir)` is the door for notebooks and scripts.
"""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
  from jaxgen.sample.load import load as load

__version__ = "0.1.0"


def __getattr__(name: str):
  if name == "load":  # lazily, so that `jaxgen --help` never imports JAX
    from jaxgen.sample.load import load

    return load
  raise AttributeError(f"module 'jaxgen' has no attribute {name!r}")
