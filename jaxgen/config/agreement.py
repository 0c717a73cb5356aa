"""Checks of sections against each other, for all that the config alone
tells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from jaxgen.config.data import DataConfig
from jaxgen.config.experiment import Experiment
from jaxgen.config.hint import BLURRED
from jaxgen.config.losses import LABEL_TERMS, LATENT_TERMS
from jaxgen.config.upscalers import UPSCALERS
from jaxgen.errors import UserError

LEAST_SIDE = 16  # of a small image, in pixels: of its SSIM
OF_HINTS = ("hint", "hint_noise", "control_scale")  # told to a network
UNCONDITIONAL = {  # told nothing but the noise level; and their tasks
  "ddpm_unet": ("diffusion",),
  "song_unet": ("diffusion", "consistency"),
}
CONTROLLED = ("unet", "dit")  # models that have a ControlNet


def check(experiment: Experiment) -> None:
  """Raise a UserError if sections of a config contradict each other."""
  checks = (
    _hint,
    _residual,
    _latent,
    _few_steps,
    _control,
    _unconditional,
    _upscale,
  )
  for problem in itertools.chain(*(each(experiment) for each in checks)):
    raise UserError(problem)


def _hint(experiment: Experiment) -> Iterator[str]:
  kind, config = experiment.hint.kind, experiment.diffusion
  if experiment.data.hints and kind != "image":
    yield f"data.hints={experiment.data.hints}: expected hint.kind=image."
  if not kind:
    return
  if experiment.latent.run and experiment.task != "control":
    yield (
      f"hint.kind={kind}: expected no hint with latent.run="
      f"{experiment.latent.run}, or task=control."
    )
  if config.noise_map:
    yield f"hint.kind={kind} and diffusion.noise_map: expected one of them."
  if kind == "segments" and not _has_masks(experiment):
    yield (
      "hint.kind=segments: expected data.source=folder with data.masks, or"
      " data.source=rocks."
    )
  if kind == "image" and not _has_hints(experiment):
    yield "hint.kind=image: expected data.source=folder with data.hints."
  for name in OF_HINTS:
    if name in config.conditions:
      yield f"diffusion.conditions: {name!r} is the name of a hint's input."


def _has_masks(experiment: Experiment) -> bool:
  data = experiment.data
  return data.source == "rocks" or (
    data.source == "folder" and data.masks != ""
  )


def _has_hints(experiment: Experiment) -> bool:
  data = experiment.data
  return data.source == "folder" and data.hints != ""


def _residual(experiment: Experiment) -> Iterator[str]:
  hint = experiment.hint
  if experiment.diffusion.target != "residual":
    return
  if hint.kind not in BLURRED:
    yield (
      f"diffusion.target=residual: expected hint.kind={' or '.join(BLURRED)}."
    )
  if hint.drop_prob:
    yield (
      f"hint.drop_prob={hint.drop_prob}: expected 0 with"
      " diffusion.target=residual."
    )


def _latent(experiment: Experiment) -> Iterator[str]:
  run = experiment.latent.run
  if run and experiment.diffusion.noise_map:
    yield f"latent.run={run} and diffusion.noise_map: expected one of them."
  if run and len(experiment.stages) > 1:
    yield (
      f"stages.resolution: expected a single stage with latent.run={run}, got"
      f" {len(experiment.stages)}."
    )


def _few_steps(experiment: Experiment) -> Iterator[str]:
  if not experiment.few_steps:
    return
  diffusion, few = experiment.diffusion, experiment.consistency
  for name in ("uncertainty", "noise_map"):
    if getattr(diffusion, name):
      yield f"diffusion.{name}=True: expected False with task=consistency."
  if few.second_sigma >= diffusion.sigma_max:
    yield (
      f"consistency.second_sigma={few.second_sigma}: expected less than"
      f" diffusion.sigma_max={diffusion.sigma_max}."
    )
  if len(experiment.stages) > 1:
    yield (
      "stages.resolution: expected a single stage with task=consistency, got"
      f" {len(experiment.stages)}."
    )
  if few.pretrain_images >= experiment.ends[-1]:
    yield (
      f"consistency.pretrain_images={few.pretrain_images}: expected less than"
      f" stages.images={experiment.ends[-1]}."
    )


def _control(experiment: Experiment) -> Iterator[str]:
  if experiment.task != "control":
    return
  hint, model, diffusion = (
    experiment.hint,
    experiment.model,
    experiment.diffusion,
  )
  if not experiment.control.base:
    yield (
      "control.base='': expected the workdir of a denoiser, with task=control."
    )
  if not hint.kind:
    yield "hint.kind='': expected a hint with task=control."
  if hint.drop_prob:
    yield (
      f"hint.drop_prob={hint.drop_prob}: expected 0 with task=control, which"
      " is the base where there is no hint."
    )
  if diffusion.target != "image":
    yield (
      f"diffusion.target={diffusion.target}: expected image with task=control."
    )
  if model.name not in CONTROLLED:
    yield (
      f"model.name={model.name}: expected {' or '.join(CONTROLLED)} with"
      " task=control."
    )
  if getattr(model, "scan_layers", False):
    yield "model.scan_layers=True: expected False with task=control."
  if experiment.latent.views:
    yield (
      f"latent.views={experiment.latent.views}: expected 0 with task=control,"
      " since stored latents have no hints."
    )
  if len(experiment.stages) > 1:
    yield (
      "stages.resolution: expected a single stage with task=control, got"
      f" {len(experiment.stages)}."
    )


def _unconditional(experiment: Experiment) -> Iterator[str]:
  tasks = UNCONDITIONAL.get(experiment.model.name)
  if tasks is None:
    return
  label = f"model.name={experiment.model.name}"
  if experiment.task not in tasks:
    expected = " or ".join(tasks)
    yield f"{label}: expected task={expected}, got task={experiment.task}."
  if experiment.few_steps == "mean_flow":
    yield f"consistency.method=mean_flow: expected ect with {label}."
  if experiment.hint.kind:
    yield f"hint.kind={experiment.hint.kind}: expected none with {label}."
  for name in ("conditions", "noise_map", "uncertainty"):
    if value := getattr(experiment.diffusion, name):
      yield f"diffusion.{name}={value}: expected none with {label}."


def _upscale(experiment: Experiment) -> Iterator[str]:
  upscales, data = experiment.task == "upscale", experiment.data
  model, names = experiment.model.name, ", ".join(UPSCALERS)
  if upscales != (model in UPSCALERS):
    yield (
      f"model.name={model}: expected one of {names} with task=upscale, and none"
      f" of them with others, got task={experiment.task}."
    )
  if upscales != bool(data.factor):
    yield (
      f"data.factor={data.factor}: expected 2, 3 or 4 with task=upscale, and 0"
      f" with others, got task={experiment.task}."
    )
  if not upscales and experiment.train.metric:
    yield (
      f"train.metric={experiment.train.metric}: expected task=upscale, got"
      f" {experiment.task}."
    )
  if not upscales and data.degradation != "bicubic":
    yield (
      f"data.degradation={data.degradation}: expected task=upscale, got"
      f" {experiment.task}."
    )
  if (data.degradation == "pairs") != (data.lows != ""):
    yield (
      f"data.lows={data.lows!r}: expected a folder of small images with"
      f" data.degradation=pairs, and none with others, got {data.degradation}."
    )
  if not upscales:
    return
  yield from _degradation(data)
  for name in (*LABEL_TERMS, *LATENT_TERMS):
    if name in experiment.loss.weights:
      yield f"loss.{name}: expected 0 with task=upscale."
  for name in ("hints", "masks"):
    if value := getattr(data, name):
      yield f"data.{name}={value}: expected none with task=upscale."
  for stage in experiment.stages:
    side = stage.resolution
    if side % data.factor or side < LEAST_SIDE * data.factor:
      yield (
        f"stages.resolution={side}: expected a multiple of data.factor="
        f"{data.factor}, at least {LEAST_SIDE * data.factor}."
      )


def _degradation(data: DataConfig) -> Iterator[str]:
  if data.degradation == "realistic" and data.channels not in (1, 3):
    yield (
      f"data.channels={data.channels}: expected 1 or 3 with"
      " data.degradation=realistic, for its JPEG."
    )
  if data.degradation != "pairs":
    return
  expected = {  # so that tiles of both images show the same
    "source": "folder",
    "split_by": "files",
    "crop_size": 0,
    "upsample": False,
    "value_range": (),
  }
  for name, value in expected.items():
    if (found := getattr(data, name)) != value:
      yield (
        f"data.{name}={found}: expected {value!r} with data.degradation=pairs."
      )
  if data.crop == "whole":
    yield "data.crop=whole: expected random or tiled with pairs (data.lows)."
