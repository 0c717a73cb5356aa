"""jaxgen: learn to generate and restore image tiles with JAX.

The public API, for notebooks and scripts:

    config = jaxgen.config("textures_patch_ae:demo")
    jaxgen.train(config, "runs/demo")
    run = jaxgen.load("runs/demo")
    jaxgen.show(run.sample(16))
"""

from __future__ import annotations

import importlib
import typing

if typing.TYPE_CHECKING:
  from jaxgen.api import show as show
  from jaxgen.api import train as train
  from jaxgen.config import load as config  # noqa: F401
  from jaxgen.sample.autoencoder import AutoencoderRun as AutoencoderRun
  from jaxgen.sample.denoiser import DenoiserRun as DenoiserRun
  from jaxgen.sample.load import load as load
  from jaxgen.sample.upscaler import UpscalerRun as UpscalerRun

__all__ = [
  "AutoencoderRun",
  "DenoiserRun",
  "UpscalerRun",
  "config",
  "load",
  "show",
  "train",
]
__version__ = "0.1.0"

_MODULES = {
  "AutoencoderRun": "jaxgen.sample.autoencoder",
  "DenoiserRun": "jaxgen.sample.denoiser",
  "UpscalerRun": "jaxgen.sample.upscaler",
  "load": "jaxgen.sample.load",
  "show": "jaxgen.api",
}


def __dir__() -> list[str]:
  """The public names, whether they are imported yet or not."""
  return sorted({*globals(), *__all__})


def __getattr__(name: str):
  """Import on first use, so that `jaxgen --help` imports no JAX."""
  if name in _MODULES:
    return getattr(importlib.import_module(_MODULES[name]), name)
  if name in ("config", "train"):  # callable modules
    return importlib.import_module(f"jaxgen.{name}")
  raise AttributeError(f"module 'jaxgen' has no attribute {name!r}")
