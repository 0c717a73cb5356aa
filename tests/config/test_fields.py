import dataclasses
from typing import Literal

import numpy as np
import pytest

from jaxgen.config.defaults import autoencoder, smoke
from jaxgen.config.fields import (
  NonNegativeInt,
  OpenUnit,
  Options,
  Positive,
  PositiveInt,
  Seed,
  UnitInterval,
)
from jaxgen.errors import UserError
from jaxgen.train.plan import make_plan


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Options, section="toy"):
  count: PositiveInt = 1
  size: NonNegativeInt = 0
  seed: Seed = 0
  rate: Positive = 1.0
  share: UnitInterval = 0.0
  part: OpenUnit = 0.5
  flag: bool = False
  word: Literal["a", "b"] = "a"
  pair: tuple[float, float] = (0.0, 1.0)
  text: str = ""


@pytest.mark.parametrize(
  ("field", "good", "bad"),
  [
    ("count", (1, 2**32 - 1), (0, 2**32, -1, 1.0, True, "1", None)),
    ("size", (0, 7), (-1, 0.5, False)),
    ("seed", (0, 2**32 - 1), (-1, 2**32)),
    ("rate", (1e-9, 3, 7.5), (0, -1.0, float("nan"), float("inf"), "x", True)),
    ("share", (0, 0.999), (1, -0.01, float("nan"))),
    ("part", (0.001, 0.999), (0, 1, 0.0, 1.0)),
    ("flag", (True, False), (0, 1, "True", None)),
    ("word", ("a", "b"), ("c", "", None, 1)),
    ("pair", ((0, 1), (3.5, -1.0)), ((1.0,), (1, 2, 3), 5, (1, "x"), [0, 1])),
    ("text", ("", "x"), (1, None, ("a",))),
  ],
)
def test_a_value_is_taken_or_refused_by_its_name(field, good, bad):
  for value in good:
    assert getattr(Toy.read({field: value}), field) == value
  for value in bad:
    with pytest.raises(UserError) as error:
      Toy.read({field: value})
    text = str(error.value)
    assert text.startswith(f"toy.{field}={value!r}: ") and "\n" not in text
    assert text.endswith("is needed.")
    with pytest.raises(UserError):
      Toy(**{field: value})


def test_unknown_and_missing_fields_are_named():
  with pytest.raises(UserError, match="toy.colour"):
    Toy.read({"colour": 1})

  @dataclasses.dataclass(frozen=True, kw_only=True)
  class Strict(Options, section="strict"):
    must: int

  with pytest.raises(UserError, match="no strict.must"):
    Strict.read({})


BAD = [
  ("seed", (-1, 2**32)),
  ("task", ("autoencodr",)),
  ("data.source", ("rock",)),
  ("data.channels", (0, -1, 2, 4)),
  ("data.crop", ("randm",)),
  ("data.crop_size", (-1,)),
  ("data.split_by", ("file",)),
  ("data.on_bad", ("ignore",)),
  ("data.validation_fraction", (0.0, 1.0, 1.5, -0.1, float("nan"))),
  ("data.value_range", ((0.0,), (1.0, 0.0), (0.0, float("inf")))),
  ("data.num_tiles", (0,)),
  ("data.cache_mb", (-1, 10**400)),
  ("data.seed", (-1,)),
  ("data.threads", (-1,)),
  ("data.workers", (-1,)),
  ("model.name", ("vae",)),
  ("model.patch_size", (0, -1, 7)),
  ("model.width", (0, -1)),
  ("model.heads", (0, -1, 3)),
  ("model.encoder_depth", (-1,)),
  ("model.decoder_depth", (-1,)),
  ("model.mlp_ratio", (0,)),
  ("model.latent", ("token",)),
  ("model.latent_dim", (0, -1)),
  ("model.patch_features", (0,)),
  ("model.dropout", (1.0, -0.1, float("nan"))),
  ("model.dtype", ("float", "int8", "float16")),
  ("loss.mse", (-1.0, float("nan"))),
  ("loss.log_mse", (0.0, -1.0)),
  ("loss.l1", (-1.0,)),
  ("loss.charbonnier", (-1.0,)),
  ("loss.ssim", (-1.0,)),
  ("loss.vgg", (-1.0,)),
  ("loss.lpips_alex", (-1.0,)),
  ("loss.lpips_vgg", (-1.0, float("inf"))),
  ("loss.classification", (0.1, -1.0)),
  ("loss.perceptual_weights", (3,)),
  ("loss.label", ("hue", 3)),
  ("loss.segmentation", (0.1,)),
  ("kl.beta", (-1.0, 2.0)),
  ("kl.schedule", ("cosine",)),
  ("kl.start_images", (-1,)),
  ("kl.warmup_images", (-1,)),
  ("kl.period_images", (0,)),
  ("kl.cooldown_images", (-1, 8_000)),
  ("kl.reduction", (-0.1, 1.1)),
  ("kl.floor", (-1.0,)),
  ("kl.growth", (0.9,)),
  ("kl.adaptive", ("yes",)),
  ("kl.share_min", (0.0, 0.5)),
  ("kl.share_max", (1.0, 0.01)),
  ("kl.rate", (0.0, 1.0)),
  ("kl.interval_images", (0,)),
  ("kl.smoothing_images", (0,)),
  ("kl.cap", (0.0, 1e-6)),
  ("kl.free_bits", (-0.1,)),
  ("optimizer.plateau_patience", (-1,)),
  ("optimizer.plateau_factor", (0.0, 1.0)),
  ("optimizer.plateau_tolerance", (0.0,)),
  ("optimizer.name", ("sgd",)),
  ("optimizer.learning_rate", (0.0, -1.0, float("nan"))),
  ("optimizer.adam_learning_rate", (0.0,)),
  ("optimizer.schedule", ("linear",)),
  ("optimizer.warmup_images", (-1, 10**22)),
  ("optimizer.weight_decay", (-0.1, float("nan"))),
  ("optimizer.b1", (1.0, -0.1)),
  ("optimizer.b2", (1.0, 2.0)),
  ("optimizer.clip_norm", (-1.0, float("inf"))),
  ("optimizer.ema_halflife", (-1,)),
  ("optimizer.ema_ramp", (0.0, -1.0)),
  ("optimizer.ema_sigma_rels", ((0.0,), (0.3,), (0.1, "x"), 0.1)),
  ("stages.resolution", ((0,), (32.5,), (), (32, 30))),
  ("stages.images", ((0,), (1.5,), (2**32,), (5 * 10**12,))),
  ("stages.batch_size", ((0,), (-32,))),
  ("stages.accumulate", ((0,), (3,))),
  ("stages.patch_size", ((-1,), (7,))),
  ("stages.learning_rate_factor", ((0.0,), (float("nan"),))),
  ("stages.warmup_images", ((-1,),)),
  ("stages.fade_images", ((-1,),)),
  ("stages.remat", (("some",),)),
  ("model.grids", ((0,), (2, 3), (4.0,), 4)),
  ("batch.fit", ("yes",)),
  ("batch.memory_gib", (-1.0, float("nan"))),
  ("train.log_images", (-1,)),
  ("train.evaluate_images", (-1,)),
  ("train.preview_images", (-1,)),
  ("train.save_images", (-1,)),
  ("train.max_to_keep", (0,)),
  ("train.validation_tiles", (0,)),
  ("train.on_nan", ("ignore",)),
  ("train.latent_cache_tiles", (0, 1)),
  ("train.advance", ("soon",)),
  ("train.advance_window", (0,)),
  ("train.advance_tolerance", (-0.1,)),
  ("train.advance_minimum", (-0.1, 1.1)),
]


@pytest.mark.parametrize(("field", "values"), BAD, ids=[x[0] for x in BAD])
def test_no_field_of_a_config_takes_nonsense(field, values):
  config = smoke(autoencoder())
  config.stages.resolution = (32,)
  config.data.channels = 1
  make_plan(config).check()
  section, _, name = field.rpartition(".")
  place = config[section] if section else config
  for value in values:
    place.unlock()
    with place.ignore_type():
      place[name] = value
    with pytest.raises(UserError) as error:
      make_plan(config).check()
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["resolution", "channels", "parent", "none"])
def test_a_model_takes_its_own_options_only(field):
  config = smoke(autoencoder())
  config.model[field] = 32
  with pytest.raises(UserError, match=f"model.{field}"):
    make_plan(config).check()


def test_numpy_s_numbers_are_numbers():
  assert Toy.read({"count": np.int64(3), "rate": np.float32(2)}).count == 3
  for bad in (np.float64(3), np.bool_(True), 10**400):
    with pytest.raises(UserError):
      Toy.read({"count": bad})


def test_every_field_that_can_be_wrong_is_tried():
  found = {name for name, _ in BAD}
  free = (
    "path",
    "key",
    "masks",
    "upsample",
    "seamless",
    "hflip",
    "flips",
    "rot90",
  )
  free = {f"data.{x}" for x in free} | {"model.scan_layers", "train.fsdp"}
  free |= {"train.init_from"}
  config = autoencoder()
  every = {
    f"{section}.{name}"
    for section in config
    if section not in ("task", "seed")
    for name in config[section]
  }
  assert every - found - free == set()
