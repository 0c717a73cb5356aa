"""The `Task` of few-step models: a denoiser's network with another loss."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from jaxgen.config.experiment import Experiment
from jaxgen.diffusion import few_steps, sigmas
from jaxgen.diffusion.few_steps import NEXT_LEVEL
from jaxgen.models.conditioning import ConditionSizes, Numbers
from jaxgen.tasks import consistency_scores, diffusion, domains
from jaxgen.tasks.companion import Companions
from jaxgen.tasks.consistency_loss import Curriculum, MeanFlow, Tuning
from jaxgen.tasks.consistency_scores import Scores
from jaxgen.tasks.diffusion import conditions as conditions
from jaxgen.tasks.examples import Denoiser, Examples
from jaxgen.tasks.task import Task
from jaxgen.typing import (
  Array,
  Batch,
  ConditionNames,
  Conditions,
  DenoiseFn,
  Images,
  LossFn,
  LossInputs,
  Metrics,
  Params,
  Sigmas,
)

TOLD: ConditionSizes = ((NEXT_LEVEL, Numbers(1)),)  # of flow maps


def build(
  experiment: Experiment,
  names: ConditionNames,
  *,
  stage: int,
  resolution: int,
  companions: Companions,
) -> Task:
  """The task of a few-step model; see `families.build`."""
  flow_map = experiment.few_steps == "mean_flow"
  task = diffusion.build(
    experiment,
    names,
    stage=stage,
    resolution=resolution,
    companions=companions,
    told=TOLD if flow_map else (),
  )
  assert task.space is not None  # that of a denoiser
  plain: Any = task.denoiser  # takes the key of dropout too
  denoiser: Denoiser = _telling(plain) if flow_map else plain
  scores = Scores(experiment=experiment, space=task.space, hint=task.hint)

  def evaluate(params: Params, batch: Batch, inputs: LossInputs) -> Metrics:
    return scores.evaluate(denoiser(params), batch, frozen=inputs.frozen)

  def preview(
    params: Params, batch: Batch, keys: Array, *, density, inputs: LossInputs
  ) -> Array:
    return scores.preview(denoiser(params), batch, keys, frozen=inputs.frozen)

  return dataclasses.replace(
    task,
    denoiser=denoiser,
    loss=_loss(
      experiment,
      task,
      denoiser,
      weighted=domains.adaptive_domains(experiment, names),
    ),
    evaluate=evaluate,
    summarize=scores.summarize,
    preview=preview,
    preview_rows=consistency_scores.rows(task.space, task.hint),
    metric=consistency_scores.METRIC,
    loss_name="loss",
    evaluates_at_start=True,
  )


def _loss(
  experiment: Experiment,
  task: Task,
  denoiser: Denoiser,
  *,
  weighted: tuple[str, ...],
) -> LossFn:
  config, space = experiment.consistency, task.space
  assert space is not None
  examples = Examples(
    config=experiment.diffusion,
    space=space,
    level=functools.partial(_draw_level, config.level_mean, config.level_std),
    hint=task.hint,
  )
  if config.method == "mean_flow":
    return MeanFlow(
      config=config,
      denoiser=denoiser,
      examples=examples,
      sigma_data=experiment.diffusion.sigma_data,
      pretrain_images=config.pretrain_images,
      domains=weighted,
    )
  return Tuning(
    config=config,
    denoiser=denoiser,
    examples=examples,
    curriculum=Curriculum(
      factor=config.factor,
      steps=config.curriculum,
      start=config.pretrain_images,
      total=experiment.ends[-1],
    ),
    domains=weighted,
  )


def _draw_level(mean: float, std: float, key: Array) -> Array:
  return sigmas.draw_log_normal(key, 1, mean=mean, std=std)[0]


def _telling(denoiser: Denoiser) -> Denoiser:
  """A denoiser that is told the level of a step's end, `NEXT_LEVEL` `(b,)`
  among its conditions; by default that of its start."""

  def of(params: Params, key: Array | None = None) -> DenoiseFn:
    denoise = denoiser(params, key)

    def told(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
      given = dict(cond or {})
      level = given.get(NEXT_LEVEL, sigma)
      feature = few_steps.level_feature(level)
      return denoise(x, sigma, {**given, NEXT_LEVEL: feature})

    return told

  return of
