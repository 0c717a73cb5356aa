"""Parsing of configs: every field of every section rejects invalid values."""

import dataclasses
from typing import Any

import pytest
from support import controls
from support.configs import (
  check,
  toy,
  toy_denoiser,
  toy_few_steps,
  toy_vae,
)
from support.toy_upscaler import toy_upscaler

from jaxgen.config import defaults
from jaxgen.config.fields import field_types
from jaxgen.config.models import MODELS
from jaxgen.config.parse import SECTIONS, parse
from jaxgen.config.stages import Stage
from jaxgen.config.upscalers import UPSCALERS
from jaxgen.config.variants import smoke
from jaxgen.errors import UserError

NAN, INF = float("nan"), float("inf")
NOT_POSITIVE = (0, -1)
COMMON = {
  "seed": (-1, 2**32, None, 0.0),
  "task": ("autoencodr", None, 3),
  "data.source": ("rock",),
  "data.path": (3,),
  "data.masks": (3,),
  "data.hints": (3, "hints"),
  "data.hint_channels": (0, 17, "3"),
  "data.channels": (0, -1, 2, 4, 17),
  "data.shown_channels": ((1,), (0, 0), (-1,), 0),
  "data.crop": ("randm",),
  "data.crop_size": (-1,),
  "data.upsample": (1,),
  "data.split_by": ("file",),
  "data.validation_fraction": (0.0, 1.0, 1.5, -0.1, NAN),
  "data.balance": ("none", "adaptive"),
  "data.on_bad": ("ignore",),
  "data.value_range": ((0.0,), (1.0, 0.0), (0.0, INF)),
  "data.key": (3,),
  "data.page": (-2, 1.5, True),
  "data.factor": (1, 2, 5, "2"),
  "data.degradation": ("blur", "realistic", "pairs"),
  "data.lows": (3, "lows"),
  "data.seamless": ("yes",),
  "data.num_tiles": (0,),
  "data.hflip": (1,),
  "data.flips": (1,),
  "data.rot90": (1,),
  "data.cache_mb": (-1, 10**400),
  "data.seed": (-1,),
  "data.threads": (-1,),
  "data.workers": (-1,),
  "optimizer.name": ("sgd",),
  "optimizer.learning_rate": (0.0, -1.0, NAN),
  "optimizer.adam_learning_rate": (0.0,),
  "optimizer.schedule": ("linear",),
  "optimizer.warmup_images": (-1, 10**22),
  "optimizer.weight_decay": (-0.1, NAN),
  "optimizer.b1": (1.0, -0.1),
  "optimizer.b2": (1.0, 2.0),
  "optimizer.clip_norm": (-1.0, INF),
  "optimizer.ema_halflife": (-1,),
  "optimizer.ema_ramp": (0.0, -1.0),
  "optimizer.ema_sigma_rels": ((0.0,), (0.3,), (0.1, "x"), 0.1),
  "optimizer.plateau_patience": (-1,),
  "optimizer.plateau_factor": (0.0, 1.0),
  "optimizer.plateau_tolerance": (0.0,),
  "stages.resolution": ((0,), (32.5,), (), (32, 30), 32),
  "stages.images": ((0,), (1.5,), (2**32,), (5 * 10**12,)),
  "stages.batch_size": ((0,), (-32,)),
  "stages.accumulate": ((0,), (3,)),
  "stages.patch_size": ((-1,), (7,)),
  "stages.learning_rate_factor": ((0.0,), (NAN,)),
  "stages.warmup_images": ((-1,),),
  "stages.fade_images": ((-1,), (10**6,)),
  "stages.remat": (("some",),),
  "batch.fit": ("yes",),
  "batch.memory_gib": (-1.0, NAN),
  "train.log_images": (-1,),
  "train.evaluate_images": (-1,),
  "train.preview_images": (-1,),
  "train.save_images": (-1,),
  "train.max_to_keep": (0,),
  "train.validation_tiles": (0,),
  "train.metric": ("psnr", "fid"),
  "train.on_nan": ("ignore",),
  "train.fsdp": (1,),
  "train.latent_cache_tiles": (0, 1),
  "train.init_from": (3,),
  "train.loggers": (("comet",), ("wandb", 3)),
  "train.advance": ("soon",),
  "train.advance_window": (0,),
  "train.advance_tolerance": (-0.1,),
  "train.advance_minimum": (-0.1, 1.1),
}
AUTOENCODER = {
  "loss.mse": (-1.0, NAN),
  "loss.l1": (-1.0,),
  "loss.charbonnier": (-1.0,),
  "loss.log_mse": (0.0, -1.0),
  "loss.ssim": (-1.0,),
  "loss.vgg": (-1.0,),
  "loss.lpips_alex": (-1.0,),
  "loss.lpips_vgg": (-1.0, INF),
  "loss.segmentation": (0.1, -1.0),
  "loss.classification": (0.1, -1.0),
  "loss.equivariance": (-1.0, NAN, 0.25),
  "loss.label": ("hue", 3),
  "loss.perceptual_weights": (3,),
  "kl.beta": (-1.0, 2.0),
  "kl.schedule": ("cosine",),
  "kl.start_images": (-1,),
  "kl.warmup_images": (-1,),
  "kl.period_images": (0,),
  "kl.cooldown_images": (-1, 8_000),
  "kl.reduction": (-0.1, 1.1),
  "kl.floor": (-1.0,),
  "kl.growth": (0.9, INF),
  "kl.adaptive": ("yes",),
  "kl.share_min": (0.0, 0.5),
  "kl.share_max": (1.0, 0.01),
  "kl.rate": (0.0, 1.0),
  "kl.interval_images": (0,),
  "kl.smoothing_images": (0,),
  "kl.cap": (0.0, 1e-6),
  "kl.free_bits": (-0.1,),
}
OF_DENOISERS = ("diffusion", "hint", "latent")
OF_FEW_STEPS = ("consistency",)
OF_CONTROL = ("control",)
OF_UPSCALERS = ("adversarial",)
ADVERSARIAL = {
  "adversarial.weight": (-0.1, NAN),
  "adversarial.gamma": (0.0, -1.0, INF),
  "adversarial.penalty_every": (0, 1.5),
  "adversarial.rate_factor": (0.0, -1.0),
  "adversarial.width": NOT_POSITIVE,
}
CONTROL = {"control.base": (3, None, "")}
FEW_STEPS = {
  "consistency.method": ("icm", None),
  "consistency.level_mean": (11.0, NAN),
  "consistency.level_std": (0.0,),
  "consistency.factor": (1.0, 0.5, INF, 1e5),
  "consistency.curriculum": (0, 1.5, 40),
  "consistency.steepness": (-1.0,),
  "consistency.huber": (-0.1, INF),
  "consistency.equal_fraction": (1.1, -0.1),
  "consistency.power": (1.1, -0.1),
  "consistency.second_sigma": (0.0, 80.0),
  "consistency.pretrain_images": (-1, 2**31),
}
DIFFUSION = {
  "diffusion.target": ("noise", "residual", None),
  "diffusion.sigma_data": (0.0, NAN),
  "diffusion.noise_distribution": ("normal",),
  "diffusion.P_mean": (11.0, NAN),
  "diffusion.P_std": (0.0,),
  "diffusion.sigma_min": (0.0, 90.0),
  "diffusion.sigma_max": (0.0, 0.001, INF),
  "diffusion.conditions": (("hue",), "label", (3,)),
  "diffusion.cond_drop_prob": (1.0, -0.1),
  "diffusion.uncertainty": (1,),
  "diffusion.noise_map": (1,),
  "diffusion.sensor_condition": (1, True),
  "diffusion.photons": ((), (0.0, 1.0), (9.0, 1.0), (1.0, INF), 3.0),
  "diffusion.background": ((), (0.0, 1.0), (9.0, 1.0)),
  "diffusion.read_noise": ((), (0.0, 1.0), (9.0, 1.0)),
  "diffusion.preview_steps": (0,),
  "hint.kind": ("image", None, "reconstruction", "segments"),
  "hint.run": (3, "runs/autoencoder"),
  "hint.factor": (0, 1, 1.5),
  "hint.num_classes": (-1, 2.0),
  "hint.drop_prob": (1.0, -0.1),
  "hint.noise": (-1.0, NAN, 0.1),
  "latent.run": (3, None),
  "latent.normalize": ("batch", ""),
  "latent.views": (-1, 0.5),
}
NETWORK = {
  "model.name": ("vae", None),
  "model.dropout": (1.0, -0.1, NAN),
  "model.dtype": ("float", "int8", "float16"),
}
PATCHES = {
  "model.patch_size": (*NOT_POSITIVE, 7),
  "model.width": NOT_POSITIVE,
  "model.heads": (*NOT_POSITIVE, 3),
  "model.mlp_ratio": (0,),
  "model.scan_layers": (1,),
}
UNET = {
  "model.width": (*NOT_POSITIVE, 6),
  "model.multipliers": ((), (0, 1), (1,), (1.5, 2)),
  "model.num_res_blocks": NOT_POSITIVE,
  "model.attention": ((True,), (1, 0)),
  "model.head_dim": (*NOT_POSITIVE, 3),
  "model.padding": ("mirror",),
  "model.time_frequency": (0.0, -1.0, INF),
}
RESIDUAL = {
  "model.width": NOT_POSITIVE,
  "model.num_res_blocks": NOT_POSITIVE,
  "model.residual_scale": (0.0, -1.0, INF),
}
NETWORKS = {
  "patch_autoencoder": PATCHES
  | {
    "model.overlap": (1.0, -0.1, NAN, 0.6),
    "model.grids": ((0,), (2, 3), (4.0,), 4),
    "model.encoder_depth": (-1,),
    "model.decoder_depth": (-1,),
    "model.latent": ("token",),
    "model.latent_dim": NOT_POSITIVE,
    "model.patch_features": (0,),
  },
  "conv_autoencoder": {
    "model.base_channels": (*NOT_POSITIVE, 6),
    "model.multipliers": ((), (0, 1)),
    "model.downsampling_steps": (0, 9),
    "model.num_res_blocks": NOT_POSITIVE,
    "model.attention": (1,),
    "model.head_dim": (0,),
    "model.latent_channels": (0,),
    "model.latent_dim": (-1,),
    "model.variational": (1,),
    "model.num_seg_classes": (-1, 3),
    "model.padding": ("mirror",),
  },
  "kl_autoencoder": {
    "model.widths": ((), (0, 8), (6, 8), 8),
    "model.num_res_blocks": NOT_POSITIVE,
    "model.latent_channels": NOT_POSITIVE,
    "model.norm_groups": (*NOT_POSITIVE, 3),
    "model.attention": (1,),
    "model.quant_conv": (1,),
    "model.post_quant_conv": (1,),
    "model.latent_mean": ((0.0,), (NAN,) * 4, 0.0),
    "model.latent_std": ((1.0,), (0.0,) * 4, (INF,) * 4),
  },
  "unet": UNET,
  "progressive_unet": UNET
  | {
    "model.resolutions": ((), (64, 32), (64, 128)),
    "model.outer_width": (0,),
    "model.outer_num_res_blocks": (0,),
  },
  "multiscale_unet": UNET
  | {"model.scales": ((0,), 32, (1.5,)), "model.scale_width": (0,)},
  "ddpm_unet": {
    "model.widths": ((), (0, 8), (6, 8), (8, 10), 8),
    "model.num_res_blocks": NOT_POSITIVE,
    "model.attention": ((True,), (1, 0)),
    "model.middle_attention": (1,),
    "model.head_dim": (-1, 3),
    "model.norm_groups": (*NOT_POSITIVE, 3),
    "model.norm_epsilon": (0.0, -1.0, INF),
    "model.asymmetric_padding": (0,),
    "model.cosines_first": (1,),
    "model.frequency_shift": (2, 0.5),
  },
  "song_unet": {
    "model.width": (*NOT_POSITIVE, 6, 66),
    "model.multipliers": ((), (0, 1), 2),
    "model.num_res_blocks": NOT_POSITIVE,
    "model.attention": ((True,), (1, 0)),
  },
  "dit": PATCHES | {"model.depth": (0,), "model.time_frequency": (0.0, NAN)},
  "mlp": {
    "model.width": (*NOT_POSITIVE, 33),
    "model.depth": (0,),
    "model.mlp_ratio": NOT_POSITIVE,
    "model.time_frequency": (0.0, -1.0),
  },
  "compact": {"model.width": NOT_POSITIVE, "model.depth": NOT_POSITIVE},
  "edsr": RESIDUAL,
  "rrdb": RESIDUAL | {"model.growth": NOT_POSITIVE},
}


def base(model: str):
  """A toy's config that has nothing wrong."""
  if model == "patch_autoencoder":
    return toy()
  if model == "conv_autoencoder":
    return toy_vae()
  if model == "kl_autoencoder":
    return smoke(defaults.autoencoder(defaults.kl_autoencoder()))
  if model == "dit":
    return toy_denoiser()
  if model == "few_steps":
    return toy_few_steps()
  if model == "control":
    return controls.control_config("dit")
  if model in UPSCALERS:
    return toy_upscaler(model)
  config = smoke(defaults.denoiser(getattr(defaults, model)()))
  config.data.channels = 1
  config.stages.resolution = (1 if model == "mlp" else 32,)
  return config


def tables():
  """(model, field, bad values) of every table, shared sections once."""
  for field, values in (COMMON | AUTOENCODER).items():
    yield "patch_autoencoder", field, values
  for field, values in DIFFUSION.items():
    yield "dit", field, values
  for field, values in FEW_STEPS.items():
    yield "few_steps", field, values
  for field, values in CONTROL.items():
    yield "control", field, values
  for field, values in ADVERSARIAL.items():
    yield "compact", field, values
  for model, table in NETWORKS.items():
    for field, values in (NETWORK | table).items():
      yield model, field, values


@pytest.mark.parametrize("model", NETWORKS)
def test_the_toys_have_nothing_wrong(model):
  check(base(model))


@pytest.mark.parametrize(
  ("model", "field", "values"), [pytest.param(*x, id=x[1]) for x in tables()]
)
def test_no_field_of_a_config_takes_nonsense(model, field, values):
  section, _, name = field.rpartition(".")
  for value in values:
    config = base(model)
    place = config[section] if section else config
    with place.ignore_type():
      place[name] = value
    with pytest.raises(UserError) as error:
      check(config)
    assert name in str(error.value) and "\n" not in str(error.value)


def _base_of(section: str) -> str:
  """The toy whose sections are tried."""
  if section in OF_FEW_STEPS:
    return "few_steps"
  if section in OF_CONTROL:
    return "control"
  if section in OF_UPSCALERS:
    return "compact"
  return "dit" if section in OF_DENOISERS else "patch_autoencoder"


def test_every_field_is_tried():
  found = {(model, field) for model, field, _ in tables()}
  every = {
    (_base_of(name), f"{name}.{field}")
    for name, cls in (SECTIONS | {"stages": Stage}).items()
    for field in field_types(cls)
  }
  every |= {
    (model, f"model.{field}")
    for model, cls in MODELS.items()
    for field in field_types(cls)
  }
  assert every - found == set()


@pytest.mark.parametrize("field", ["resolution", "channels", "parent", "none"])
def test_a_model_takes_its_own_options_only(field):
  config = toy()
  config.model[field] = 32
  with pytest.raises(UserError, match=f"model.{field}"):
    parse(config)


@pytest.mark.parametrize(
  ("section", "field", "meant"),
  [
    ("optimizer", "learning_rat", "learning_rate"),
    ("stages", "resolutions", "resolution"),
    ("model", "widht", "width"),
    ("train", "save_image", "save_images"),
  ],
)
def test_a_near_miss_is_named(section, field, meant):
  config = toy().to_dict()
  config[section][field] = 1
  with pytest.raises(UserError) as error:
    parse(config)
  before, _, after = str(error.value).partition(":")
  assert before == f"{section}.{field}" and meant in after


def test_a_section_of_another_task_is_refused():
  config = toy().to_dict()
  with pytest.raises(UserError, match="diffusion"):
    parse(config | {"diffusion": {}})


@pytest.mark.parametrize("value", [None, 3, "x", [1]])
@pytest.mark.parametrize("name", ["data", "model", "loss", "kl", "stages"])
def test_a_section_that_is_none_is_refused_by_its_name(name, value):
  with pytest.raises(UserError, match=name):
    parse(toy().to_dict() | {name: value})


@pytest.mark.parametrize("value", [None, 3, "x", [], {}])
def test_what_is_no_config_is_refused(value):
  with pytest.raises(UserError, match="config"):
    parse(value)


def test_sections_that_are_missing_have_their_defaults():
  stages = {"resolution": (32,)}
  model = {"name": "patch_autoencoder"}
  short = {"task": "autoencoder", "seed": 0, "stages": stages, "model": model}
  config = defaults.autoencoder()
  config.stages.resolution = (32,)
  assert parse(short) == parse(config)


@pytest.mark.parametrize(
  ("stages", "named"),
  [
    ({"images": (1, 2), "resolution": (32, 32, 32)}, "stages: .*images: 2"),
    ({"batch_size": (0,)}, "stages.batch_size"),
    ({"accumulate": (5,)}, "stages.accumulate=5"),
    ({"images": (2**31, 2**31), "batch_size": (32, 32)}, "stages.images"),
  ],
)
def test_stages_that_make_no_sense_are_refused(stages, named):
  with pytest.raises(UserError, match=named):
    parse(toy(stages=stages))


def test_of_several_stages_the_wrong_one_is_named():
  with pytest.raises(UserError, match=r"stage 2 \(stages.resolution=36"):
    parse(toy(stages={"resolution": (32, 36), "images": (64, 64)}))


def test_what_is_parsed_is_frozen_and_hashable_by_value():
  experiment: Any = parse(toy())
  with pytest.raises(dataclasses.FrozenInstanceError):
    experiment.seed = 3
  assert hash(experiment) == hash(parse(toy()))
