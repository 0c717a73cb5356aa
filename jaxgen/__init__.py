"""jaxgen: learn to generate and restore image tiles with JAX.

The public door, for notebooks and scripts:

    config = jaxgen.config("textures_patch_ae:demo")
    jaxgen.train(config, "runs/demo")
    run = jaxgen.load("runs/demo")
    jaxgen.show(run.sample(16))
"""

from __future__ import annotations

import importlib
import typing

if typing.TYPE_CHECKING:
  from jaxgen.api import load as load
  from jaxgen.api import show as show
  from jaxgen.api import train as train
  from jaxgen.config import load as config  # noqa: F401

__version__ = "0.1.0"


def __getattr__(name: str):
  """Import on first use, so that `jaxgen --help` imports no JAX."""
  if name in ("load", "show"):
    return getattr(importlib.import_module("jaxgen.api"), name)
  if name in ("config", "train"):  # modules that can be called
    return importlib.import_module(f"jaxgen.{name}")
  raise AttributeError(f"module 'jaxgen' has no attribute {name!r}")
