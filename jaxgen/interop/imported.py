"""Weights of other programs as an exported run of ours, at step 0; see
`runs.exported`."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.config.experiment import Experiment, vars_of
from jaxgen.data.guess import guess
from jaxgen.runs import exported
from jaxgen.runs.exported import Exported
from jaxgen.tasks import families
from jaxgen.trees import named
from jaxgen.typing import ConditionNames
from jaxgen.workdir import run_config


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Imported:
  """A model with its weights.

  Attributes:
    experiment: its config.
    names: value names of its conditions.
    arrays: weights by the names of its parameters.
    latent_shape: shape of one latent.
  """

  experiment: Experiment
  names: ConditionNames
  arrays: dict[str, np.ndarray]
  latent_shape: tuple[int, ...]

  @property
  def num_parameters(self) -> int:
    """The number of parameters."""
    return sum(x.size for x in self.arrays.values())


class Sizes(NamedTuple):
  """The parameters of a model, and the shape of one latent."""

  shapes: dict[str, tuple[int, ...]]
  latent_shape: tuple[int, ...]


def data_section(
  data: pathlib.Path | None, resolution: int, channels: int
) -> dict[str, Any]:
  """The section `data` of a model: of the images that it is used with, by
  default the built-in textures.

  Raises:
    UserError: the images cannot be read.
  """
  options = guess(data, resolution=resolution).options if data else DataConfig()
  return vars_of(options) | {"channels": channels}


def sizes_of(experiment: Experiment, names: ConditionNames) -> Sizes:
  """The shapes of the parameters that samplers take, by name, of the last
  stage of an experiment.

  Raises:
    UserError: sections of the config are inconsistent.
  """
  task = families.build(experiment, names)
  params = task.sampled(jax.eval_shape(task.init, jax.random.key(0)))
  shapes = {name: x.shape for name, x in named(params).items()}
  return Sizes(shapes, task.latent_shape)


def write(out: pathlib.Path, imported: Imported) -> None:
  """Write an exported run to an empty folder.

  Raises:
    RunError: a file cannot be written.
  """
  run_config.save(out, imported.experiment, imported.names)
  stage = len(imported.experiment.stages) - 1
  exported.write(out, Exported(imported.arrays, 0, stage, {}))


def summary(imported: Imported) -> str:
  """The sizes of a model in words."""
  experiment = imported.experiment
  side = experiment.stages[-1].resolution
  text = (
    f"{experiment.model.name}, {imported.num_parameters:,} parameters, images"
    f" of {side} x {side} pixels with {experiment.data.channels} channels"
  )
  if experiment.task != "autoencoder":
    return f"{text}."
  latent = " x ".join(map(str, imported.latent_shape))
  return f"{text}, latents of {latent} (1/{_compression(imported):.3g})."


def _compression(imported: Imported) -> float:
  """The numbers of an image over those of its latent."""
  side = imported.experiment.stages[-1].resolution
  image = side**2 * imported.experiment.data.channels
  return image / math.prod(imported.latent_shape)
