"""A toy upscaler, and its loaded run without a workdir."""

import pathlib
from typing import Any

import jax
import numpy as np

from jaxgen.config import defaults
from jaxgen.config.parse import parse
from jaxgen.config.variants import upscaler_smoke
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.sample.upscaler import UpscalerRun
from jaxgen.tasks import families


def toy_upscaler(model: str = "compact", factor: int = 2, **data: Any) -> Any:
  """A config of gray textures, to be changed."""
  config = defaults.upscaler(getattr(defaults, model)())
  config.data.update(channels=1, factor=factor, **data)
  return upscaler_smoke(config)


def random_like(params: Any, *, seed: int = 0, scale: float = 0.1) -> Any:
  """Random parameters, of the last layer too."""
  rng = np.random.default_rng(seed)
  draw = lambda x: np.float32(scale * rng.normal(size=x.shape))  # noqa: E731
  return jax.tree.map(draw, params)


def toy_run(config: Any) -> UpscalerRun:
  """A run of a config with random parameters."""
  experiment = parse(config)
  task = families.build(experiment, {})
  layout = Layout(mesh=make_mesh(jax.devices()[:1]))
  params = random_like(jax.eval_shape(task.init, jax.random.key(0)))
  return UpscalerRun(
    workdir=pathlib.Path("toy"),
    experiment=experiment,
    names={},
    layout=layout,
    task=task,
    params=jax.device_put(params, layout.replicated),
    step=0,
    stage=0,
    sigma_rel=None,
  )
