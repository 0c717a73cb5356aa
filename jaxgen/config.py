"""The base of every config file, and how a config is read, saved, compared.

A config is an ml-collections `ConfigDict`: plain data, every field here, with a
comment. Files in `configs/` take a base and change what their experiment needs.
"""

from __future__ import annotations

import difflib
import json
import pathlib
import sys
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from jaxgen.errors import UserError


def autoencoder() -> Any:
  """The base config of the autoencoders: every field and its default."""
  c: Any = ConfigDict()
  c.task = "autoencoder"
  c.seed = 0  # of parameters and noise

  c.data = data = ConfigDict()
  data.source = "textures"  # textures, rocks, folder, arrays, tfds, records
  data.path = ""  # folder, arrays, records: where; tfds: name[@data_dir]
  data.masks = ""  # folder: a parallel folder of per-pixel label images
  data.channels = 3  # 1: grey, 3: RGB
  data.crop = "random"  # random, tiled, or whole (resized to the resolution)
  data.crop_size = 0  # source pixels on a tile's side; 0: the resolution
  data.upsample = False  # allow source images smaller than a tile
  data.split_by = "files"  # validation: whole files, or regions of each file
  data.validation_fraction = 0.1
  data.on_bad = "error"  # unreadable or too small files: error or skip
  data.value_range = (0.0, 1.0)  # arrays: black and white of float images
  data.key = ""  # arrays: the array of an .npz; tfds: the image feature
  data.seamless = False  # rocks: tiles that wrap around
  data.num_tiles = 8192  # rocks: tiles in the training split
  data.flips = False  # random left-right and up-down flips
  data.turns = False  # random quarter turns
  data.cache_mb = 2048  # memory for decoded images, per process
  data.seed = 0  # of shuffling, crops and procedural tiles
  data.threads = 4  # reading ahead
  data.workers = 0  # worker processes

  c.model = model = ConfigDict()
  model.name = "patch_autoencoder"
  model.patch_size = 16  # must divide the resolution
  model.width = 512
  model.encoder_depth = 6
  model.decoder_depth = 6
  model.heads = 8
  model.mlp_ratio = 4
  model.latent = "vector"  # one vector, or "tokens": one for each patch
  model.latent_dim = 512
  model.patch_features = 32  # numbers per patch between tokens and the vector
  model.dropout = 0.0
  model.scan_layers = False  # one compiled block for all layers of a stack
  model.dtype = "auto"  # of the computation: bfloat16 on GPU and TPU

  c.loss = loss = ConfigDict()
  loss.reconstruction = "log_mse"  # mse, l1, or log_mse (optimises PSNR)

  c.optimizer = optimizer = ConfigDict()
  optimizer.name = "muon"  # muon or adamw
  optimizer.learning_rate = 0.02  # of Muon; AdamW wants about 0.001
  optimizer.adam_learning_rate = 0.02  # Muon: for biases, gains, positions
  optimizer.schedule = "warmup_cosine"  # or constant (after the warm-up)
  optimizer.warmup_images = 10_000
  optimizer.weight_decay = 0.0  # matrices only, times the learning rate
  optimizer.b1 = 0.9
  optimizer.b2 = 0.99
  optimizer.clip_norm = 1.0  # global norm of the gradient; 0: off
  optimizer.ema_halflife = 10_000  # images; 0: the samplers' weights are raw
  optimizer.ema_ramp = 0.05  # half-life at most this share of images seen

  c.stages = stages = ConfigDict()  # equal-length tuples, one entry a stage
  stages.resolution = (256,)
  stages.images = (1_000_000,)
  stages.batch_size = (64,)  # over all devices and processes
  stages.accumulate = (1,)  # microbatches a step

  c.train = train = ConfigDict()
  train.log_images = 2_000  # a line of metrics every so many images
  train.evaluate_images = 50_000
  train.preview_images = 100_000
  train.save_images = 50_000
  train.max_to_keep = 2  # newest checkpoints; the best is kept besides
  train.validation_tiles = 512  # at most
  train.on_nan = "stop"  # or skip: leave such updates out and count them
  train.fsdp = False  # shard parameters and optimizer over the devices
  train.bank_tiles = 4_096  # training latents that the samplers are fitted to
  return c


def smoke(config: Any) -> Any:
  """Shrink a config to seconds on a CPU: the same kind of run, a toy model."""
  config.data.update(num_tiles=64, workers=0)
  config.model.update(width=32, heads=2, encoder_depth=1, decoder_depth=1)
  config.model.update(latent_dim=16, patch_features=8)
  stages = len(config.stages.resolution)
  config.stages.update(images=(960,) * stages, batch_size=(32,) * stages)
  config.optimizer.update(warmup_images=64, ema_halflife=200)
  config.train.update(log_images=96, evaluate_images=320, save_images=320)
  config.train.update(preview_images=640, validation_tiles=48, bank_tiles=64)
  return config


def check_variant(variant: str, known: tuple[str, ...]) -> None:
  """Refuse a variant (`FILE.py:variant`) that a config file does not have."""
  if variant and variant not in known:
    raise ValueError(f"no variant {variant!r}; there is {', '.join(known)}")


def load_config(path: str, overrides: list[str]) -> Any:
  """Read `FILE.py[:variant]` and apply `--config.a.b=value` arguments.

  Raises:
    UserError: a missing or broken file, an unknown key, a wrong type.
  """
  if not pathlib.Path(path.split(":")[0]).is_file():
    raise UserError(f"--config={path}: there is no such file.")
  config = _parse(path, [])
  for argument in overrides:
    _check_key(config, argument)
  return _parse(path, overrides).lock() if overrides else config.lock()


def _parse(path: str, overrides: list[str]) -> Any:
  argv = ["jaxgen", f"--config={path}", *overrides]
  sys.modules.pop("config_config", None)  # nothing is left of another file
  holder = flags.FlagValues()
  config_flags.DEFINE_config_file("config", flag_values=holder, sys_argv=argv)
  try:
    holder(argv)
    config: Any = holder["config"].value
    config.keys()  # a broken file raises on first use
    if "task" not in config:
      raise ValueError("its get_config() does not return a jaxgen config")
    return config
  except SyntaxError as e:
    raise UserError(f"--config={path}: line {e.lineno}: {e.msg}") from e
  except Exception as e:  # whatever a config file does, on one line
    message = " ".join(str(e).split()) or repr(e)
    raise UserError(f"--config={path}: {message}") from e


def _check_key(config: ConfigDict, argument: str) -> None:
  if not argument.startswith("--config."):
    raise UserError(f"{argument}: there is no such flag here; see --help.")
  key = argument.removeprefix("--config.").partition("=")[0]
  keys = list(flatten(config))
  if key not in keys:
    near = difflib.get_close_matches(key, keys, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UserError(f"--config.{key}: the config has no such field.{hint}")


def save_config(config: ConfigDict, path: pathlib.Path) -> None:
  """Write the resolved config as JSON, in one atomic step."""
  part = path.with_suffix(".part")
  part.write_text(json.dumps(config.to_dict(), indent=2) + "\n")
  part.replace(path)


def read_config(path: pathlib.Path) -> Any:
  """The config that `save_config` wrote; lists become tuples again."""
  if not path.is_file():
    raise UserError(f"{path.parent} holds no run: there is no {path.name}.")
  try:
    config = json.loads(path.read_text())
  except (ValueError, UnicodeDecodeError) as e:
    raise UserError(f"{path} is damaged: {e}") from e
  parts = ("data", "model", "optimizer", "stages", "train")
  if not isinstance(config, dict) or not all(
    isinstance(config.get(part), dict) for part in parts
  ):
    raise UserError(f"{path} is damaged: it lacks one of {', '.join(parts)}.")
  return ConfigDict(_tuples(config)).lock()


def _tuples(value: Any) -> Any:
  if isinstance(value, dict):
    return {k: _tuples(v) for k, v in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def flatten(config: ConfigDict, prefix: str = "") -> dict[str, Any]:
  """`{"model.width": 512, ...}`."""
  flat = {}
  for key, value in config.items():
    nested = isinstance(value, ConfigDict)
    flat |= (
      flatten(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    )
  return flat


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
  """`key: old -> new` for each key in which two configs differ."""
  a, b = flatten(old), flatten(new)
  keys = [k for k in sorted(a | b) if a.get(k) != b.get(k)]
  return [f"{k}: {a.get(k)!r} -> {b.get(k)!r}" for k in keys]
