"""Denoisers in pickles of EDM (Karras et al. 2022, arXiv:2206.00364), without
its code or PyTorch: `SongUNet` of the kind `ddpmpp` without classes."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping
from typing import Any

from jaxgen.config import defaults
from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.interop import edm_pickle
from jaxgen.interop.diffusers_fields import expect, items
from jaxgen.interop.imported import Imported, data_section, sizes_of
from jaxgen.interop.names import TORCH_LEAVES, of_torch, placed
from jaxgen.interop.weights_file import as_float32

SUFFIX = ".pkl"
AUGMENTATION = (
  "map_augment.weight"  # told what its training images went through
)
DEFAULTS: dict[str, dict[str, Any]] = {
  "EDMPrecond": {
    "img_resolution": None,
    "img_channels": None,
    "label_dim": 0,
    "sigma_data": 0.5,
    "model_type": "DhariwalUNet",
  },
  "SongUNet": {
    "model_channels": 128,
    "channel_mult": [1, 2, 2, 2],
    "channel_mult_emb": 4,
    "num_blocks": 4,
    "attn_resolutions": [16],
    "dropout": 0.1,
    "embedding_type": "positional",
    "channel_mult_noise": 1,
    "encoder_type": "standard",
    "decoder_type": "standard",
    "resample_filter": [1, 1],
  },
}
_ONLY = (  # options of SongUNet with a single value here
  "channel_mult_emb",
  "embedding_type",
  "channel_mult_noise",
  "encoder_type",
  "decoder_type",
  "resample_filter",
)
_LEVEL = re.compile(r"^(enc|dec)_(\d+)_")


def read(path: pathlib.Path, *, data: pathlib.Path | None = None) -> Imported:
  """A denoiser of a pickle in terms of ours.

  Args:
    path: the pickle.
    data: images that it is used with; by default the built-in textures.

  Raises:
    UserError: the file is missing or damaged, the denoiser is not supported,
      or parameters have no partner.
  """
  network = edm_pickle.read(path)
  try:
    outer = _arguments(network, "EDMPrecond")
    inner = _arguments(network.module("model"), "SongUNet")
    experiment = _experiment(outer, inner, data)
    sizes = sizes_of(experiment, {})
    arrays = {
      name: as_float32(x, name)
      for name, x in network.module("model").arrays()
      if name != AUGMENTATION
    }
    found = placed(
      sizes.shapes,
      arrays,
      partner=lambda name: partner(name, outer["img_resolution"]),
      convert=of_torch,
    )
  except (UserError, ValueError) as e:
    raise UserError(f"{path}: {str(e).rstrip('.')}.") from e
  return Imported(
    experiment=experiment,
    names={},
    arrays=found,
    latent_shape=sizes.latent_shape,
  )


def partner(name: str, side: int) -> str:
  """The name in a pickle of a parameter, for images of `side` pixels:
  `enc_1_down/norm0/scale` is `enc.16x16_down.norm0.weight` for 32."""

  def level(match: re.Match[str]) -> str:
    pixels = side >> int(match[2])
    return f"{match[1]}.{pixels}x{pixels}_"

  *modules, leaf = name.split("/")
  return f"{_LEVEL.sub(level, '.'.join(modules))}.{TORCH_LEAVES[leaf]}"


def _arguments(module: edm_pickle.Stored, kind: str) -> dict[str, Any]:
  """The arguments of a module of a class, with those that were not given.

  Raises:
    UserError: it is of another class.
  """
  if module.kind != kind:
    raise UserError(f"{module.kind or 'a container'}: expected {kind}.")
  return DEFAULTS[kind] | module.arguments()


def _experiment(
  outer: Mapping[str, Any],
  inner: Mapping[str, Any],
  data: pathlib.Path | None,
) -> Experiment:
  """The config of a denoiser.

  Raises:
    UserError: an argument is damaged or not supported.
  """
  expect(outer, "label_dim", 0)
  for field in _ONLY:
    expect(inner, field, DEFAULTS["SongUNet"][field])
  side = outer["img_resolution"]
  check_value("img_resolution", PositiveInt, side)
  levels = range(len(items(inner, "channel_mult")))
  places = items(inner, "attn_resolutions")
  config = defaults.denoiser(defaults.song_unet()).to_dict()
  config["data"] = data_section(data, side, outer["img_channels"])
  config["model"] |= {
    "width": inner["model_channels"],
    "multipliers": items(inner, "channel_mult"),
    "num_res_blocks": inner["num_blocks"],
    "attention": tuple(side >> level in places for level in levels),
    "dropout": inner["dropout"],
  }
  config["stages"]["resolution"] = (side,)
  config["diffusion"]["sigma_data"] = outer["sigma_data"]
  return parse(config)
