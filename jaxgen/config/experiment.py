"""A parsed config: typed sections and the stages of a run.

An `Experiment` contains nothing that needs a device or data.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

from jaxgen.config.adversarial import AdversarialConfig
from jaxgen.config.consistency import ConsistencyConfig
from jaxgen.config.control import ControlConfig
from jaxgen.config.data import DataConfig
from jaxgen.config.diffusion import DiffusionConfig
from jaxgen.config.hint import HintConfig
from jaxgen.config.latent import LatentConfig
from jaxgen.config.losses import KLConfig, LossConfig
from jaxgen.config.models import ModelConfig
from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.config.run import BatchConfig, TrainConfig
from jaxgen.config.stages import AdvancePolicy, Stage, to_columns


def _sections(*own: str) -> tuple[str, ...]:
  """The sections of a model family with sections of its own."""
  common = ("optimizer", "stages", "batch", "train")
  return ("data", "model", *own, *common)


# Model families: the name of a module in `jaxgen/tasks`, and its sections.
TASK_SECTIONS = {
  "autoencoder": _sections("loss", "kl"),
  "diffusion": _sections("diffusion", "hint", "latent"),
  "consistency": _sections("diffusion", "hint", "latent", "consistency"),
  "control": _sections("diffusion", "hint", "latent", "control"),
  "upscale": _sections("loss", "adversarial"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
  """The parsed config of a training run.

  Attributes:
    task: the model family, a key of `TASK_SECTIONS`.
    seed: seeds parameters and noise.
    data: the source of images, and how tiles are cut.
    model: the network.
    optimizer: the update rule and its learning rate.
    stages: the stages of training, in order.
    batch: how batches are fitted into memory.
    train: intervals and policies of the training loop.
    loss: terms of the loss; autoencoders and upscalers only.
    adversarial: a discriminator of enlarged images; upscalers only.
    kl: weight of the KL divergence; autoencoders only.
    diffusion: noise levels and conditions; denoisers only.
    hint: a dense condition; denoisers only.
    latent: the latents that are denoised; denoisers only.
    consistency: method and curriculum; few-step models only.
    control: the denoiser that is steered; ControlNets only.
  """

  task: str
  seed: int
  data: DataConfig
  model: ModelConfig
  optimizer: OptimizerConfig
  stages: tuple[Stage, ...]
  batch: BatchConfig
  train: TrainConfig
  loss: LossConfig = LossConfig()
  adversarial: AdversarialConfig = AdversarialConfig()
  kl: KLConfig = KLConfig()
  diffusion: DiffusionConfig = DiffusionConfig()
  hint: HintConfig = HintConfig()
  latent: LatentConfig = LatentConfig()
  consistency: ConsistencyConfig = ConsistencyConfig()
  control: ControlConfig = ControlConfig()

  @property
  def lengths(self) -> list[int]:
    """Maximum number of images of each stage, in whole batches."""
    return [stage.length for stage in self.stages]

  @property
  def ends(self) -> list[int]:
    """Images seen at the end of each stage, if none ends early."""
    return list(itertools.accumulate(self.lengths))

  @property
  def few_steps(self) -> str:
    """The method of a few-step model; empty: the run is of another family."""
    return self.consistency.method if self.task == "consistency" else ""

  @property
  def advance_policy(self) -> AdvancePolicy | None:
    """The rule by which stages end early; None: they do not."""
    if self.train.advance == "fixed":
      return None
    return AdvancePolicy(
      window=self.train.advance_window,
      tolerance=self.train.advance_tolerance,
      minimum=self.train.advance_minimum,
    )

  def model_at(self, stage: int) -> ModelConfig:
    """The model section with the patch size of a stage."""
    patch_size = self.stages[stage].patch_size
    changes = {"patch_size": patch_size} if patch_size else {}
    return with_known(self.model, **changes)

  def to_dict(self) -> dict[str, Any]:
    """The config as nested plain data, as set by files and recorded by
    runs."""
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
  """A copy of a section with new values; unknown fields are ignored."""
  known = {x.name for x in dataclasses.fields(section)}
  changes = {k: v for k, v in values.items() if k in known}
  return dataclasses.replace(section, **changes)
