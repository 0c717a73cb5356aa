"""A parsed config: typed sections and the stages of a run.

An `Experiment` holds nothing that needs a device or data.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any, Literal

from jaxgen.config.data import DataConfig
from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.losses import KLConfig, LossConfig
from jaxgen.config.models import ModelConfig
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.config.run import BatchConfig, TrainConfig
from jaxgen.config.stages import AdvancePolicy, Stage, to_columns

TaskName = Literal["autoencoder", "diffusion"]
TASK_SECTIONS = {
  "autoencoder": (
    "data",
    "model",
    "loss",
    "kl",
    "optimizer",
    "stages",
    "batch",
    "train",
  ),
  "diffusion": (
    "data",
    "model",
    "diffusion",
    "optimizer",
    "stages",
    "batch",
    "train",
  ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
  """The parsed config of a training run.

  Attributes:
    task: the model family.
    seed: seeds parameters and noise.
    data: the source of images, and how tiles are cut.
    model: the network.
    optimizer: the update rule and its learning rate.
    stages: the stages of training, in order.
    batch: how batches are made to fit into memory.
    train: intervals and policies of the training loop.
    loss: terms of the loss; read by autoencoders only.
    kl: weight of the KL divergence; read by autoencoders only.
    diffusion: noise levels and conditions; read by denoisers only.
  """

  task: TaskName
  seed: int
  data: DataConfig
  model: ModelConfig
  optimizer: OptimizerConfig
  stages: tuple[Stage, ...]
  batch: BatchConfig
  train: TrainConfig
  loss: LossConfig = LossConfig()
  kl: KLConfig = KLConfig()
  diffusion: DiffusionConfig = DiffusionConfig()

  @property
  def lengths(self) -> list[int]:
    """Images of each stage in whole batches, at most."""
    return [stage.length for stage in self.stages]

  @property
  def ends(self) -> list[int]:
    """Images seen at the end of each stage, where none ends early."""
    return list(itertools.accumulate(self.lengths))

  @property
  def advance_policy(self) -> AdvancePolicy | None:
    """When stages end early; None: they never do."""
    if self.train.advance == "fixed":
      return None
    return AdvancePolicy(
      window=self.train.advance_window,
      tolerance=self.train.advance_tolerance,
      minimum=self.train.advance_minimum,
    )

  def model_at(self, stage: int) -> ModelConfig:
    """The network of a stage, with the stage's patch size."""
    patch_size = self.stages[stage].patch_size
    changes = {"patch_size": patch_size} if patch_size else {}
    return with_known(self.model, **changes)

  def to_dict(self) -> dict[str, Any]:
    """Nested plain data, as config files set it and runs record it."""
    sections = {
      name: vars_of(getattr(self, name))
      for name in TASK_SECTIONS[self.task]
      if name != "stages"
    }
    columns = {"stages": to_columns(self.stages)}
    return {"task": self.task, "seed": self.seed, **sections, **columns}


def vars_of(section: Any) -> dict[str, Any]:
  """The fields of a section with their values."""
  return {x.name: getattr(section, x.name) for x in dataclasses.fields(section)}


def with_known(section: Any, **values: Any) -> Any:
  """A section with other values of those fields that it has."""
  known = {x.name for x in dataclasses.fields(section)}
  changes = {k: v for k, v in values.items() if k in known}
  return dataclasses.replace(section, **changes)
