"""ControlNets of toys made in memory, and the denoisers that they steer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from support.companions import SIDE, random_params
from support.configs import toy_control, toy_denoiser

from jaxgen.config.defaults import dit, unet
from jaxgen.config.parse import parse
from jaxgen.tasks import families
from jaxgen.tasks.companion import Companion, Companions
from jaxgen.tasks.task import Task
from jaxgen.typing import Params

NAMES = {"kind": ("a", "b")}
CLASSES = 3
MODELS = {
  "unet": {
    "width": 8,
    "multipliers": (1,),
    "attention": (False,),
    "num_res_blocks": 1,
    "head_dim": 8,
  },
  "dit": {"width": 16, "heads": 2, "depth": 2, "patch_size": 4},
}
SECTIONS = {
  "data": {"source": "rocks"},
  "stages": {"resolution": (SIDE,)},
  "diffusion": {"conditions": ("kind",), "preview_steps": 2},
  "optimizer": {"name": "adamw"},
}


def base_config(model: str, /, **sections: dict[str, Any]) -> Any:
  """The config of a denoiser."""
  config = toy_denoiser(**SECTIONS)
  config.model = {"unet": unet, "dit": dit}[model]()
  config.model.update(MODELS[model])
  return _changed(config, sections)


def control_config(model: str, /, **sections: dict[str, Any]) -> Any:
  """The config of a ControlNet that is told masks."""
  config = toy_control(**SECTIONS)
  config.control.base = "runs/base"
  config.model = {"unet": unet, "dit": dit}[model]()
  config.model.update(MODELS[model])
  config.hint.update(kind="segments", num_classes=CLASSES)
  return _changed(config, sections)


def _changed(config: Any, sections: dict[str, dict[str, Any]]) -> Any:
  for name, values in sections.items():
    config[name].update(values)
  return config


def base(
  model: str, /, *, codec: Companion | None = None, **sections: dict[str, Any]
) -> Companion:
  """A denoiser with random weights."""
  config = base_config(model, **sections)
  config.latent.run = codec.origin if codec else ""
  experiment = parse(config)
  runs = {"codec": codec} if codec else {}
  found = Companions(runs=runs)
  task = families.build(experiment, NAMES, companions=found)
  return Companion(
    task=task,
    experiment=experiment,
    image_shape=(SIDE, SIDE, 1),
    params=random_params(task, seed=1),
    step=7,
    digest="c" * 32,
    origin="runs/base",
    names=NAMES,
    leans_on={k: (x.digest, x.origin) for k, x in runs.items()},
  )


def leaning(base: Companion, codec: Companion | None = None) -> Companions:
  """The companions of a ControlNet."""
  return Companions(runs={"base": base, **({"codec": codec} if codec else {})})


def control_task(
  base: Companion,
  /,
  *,
  codec: Companion | None = None,
  **sections: dict[str, Any],
) -> Task:
  """The task of a ControlNet that steers a denoiser."""
  config = control_config(base.experiment.model.name, **sections)
  config.latent.run = codec.origin if codec else ""
  companions = leaning(base, codec)
  return families.build(parse(config), NAMES, companions=companions)


def started(task: Task, frozen: Any) -> Params:
  """Its parameters before the first step."""
  assert task.begin is not None
  return task.begin(jax.jit(task.init)(jax.random.key(0)), frozen)


def batch(num: int = 4, seed: int = 0) -> Any:
  """Random images, masks and labels."""
  rng = np.random.default_rng(seed)
  shape = num, SIDE, SIDE
  found = {
    "image": rng.integers(0, 256, (*shape, 1), dtype=np.uint8),
    "mask": rng.integers(0, CLASSES, shape, dtype=np.int32),
    "kind": np.arange(num, dtype=np.int32) % 2,
  }
  return jax.tree.map(jnp.asarray, found)
