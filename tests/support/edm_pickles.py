"""Pickles as EDM writes them, without torch or its code: objects with the
source code of their module, containers of torch, and storages that are files
of torch."""

import io
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
from support.torch_writing import (
  Parameter,
  Storage,
  dense,
  legacy,
  stand_in,
  stand_in_torch,
)

from jaxgen.config.song_unet import SongUNetConfig
from jaxgen.interop import edm
from jaxgen.models.build import build
from jaxgen.trees import named

SONG = {  # arguments, as EDM's training gives them
  "img_resolution": 16,
  "in_channels": 3,
  "out_channels": 3,
  "label_dim": 0,
  "model_channels": 8,
  "channel_mult": [1, 2],
  "num_blocks": 1,
  "attn_resolutions": [8],
  "dropout": 0.13,
  "augment_dim": 9,
  "embedding_type": "positional",
  "encoder_type": "standard",
  "decoder_type": "standard",
  "channel_mult_noise": 1,
  "resample_filter": [1, 1],
}
EDM = {
  "img_resolution": 16,
  "img_channels": 3,
  "label_dim": 0,
  "model_type": "SongUNet",
}


def stand_in_edm(monkeypatch):
  """The modules that these pickles name."""
  stand_in_torch(monkeypatch)
  stand_in(monkeypatch, "torch.storage", "_load_from_bytes")
  stand_in(
    monkeypatch, "torch_utils.persistence", "_reconstruct_persistent_obj"
  )
  containers = "torch.nn.modules.container"
  stand_in(monkeypatch, containers, "ModuleDict", kind=object)
  stand_in(monkeypatch, "dnnlib.util", "EasyDict", kind=dict)


class Persistent:
  """An object of `torch_utils.persistence`."""

  def __init__(self, kind, state, source="raise SystemExit('run')", version=6):
    self.meta = {
      "type": "class",
      "version": version,
      "module_src": source,
      "class_name": kind,
      "state": state,
    }

  def __reduce__(self):
    call = sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj
    return call, (self.meta,)


class Pickler(pickle.Pickler):
  """A pickler whose storages are files of torch."""

  def reducer_override(self, obj):
    if isinstance(obj, Storage):
      call = sys.modules["torch.storage"]._load_from_bytes
      return call, (legacy(obj),)
    return NotImplemented


def module(kind, arrays, arguments=None):
  """A module with the parameters of these names, in modules inside."""
  own = {k: Parameter(dense(x)) for k, x in arrays.items() if "." not in k}
  inner = {k.split(".")[0]: {} for k in arrays if "." in k}
  for name, x in arrays.items():
    first, _, rest = name.partition(".")
    if rest:
      inner[first][rest] = x
  state = {
    "training": False,
    "_parameters": {**own, "none": None},
    "_buffers": {},
    "_modules": {"none": None} | {k: child(k, x) for k, x in inner.items()},
    "_non_persistent_buffers_set": set(),
    "skip_scale": np.sqrt(0.5),
    "_init_args": (),
    "_init_kwargs": arguments or {},
  }
  return Persistent(kind, state)


def child(name, arrays):
  """The module of a name; `enc` and `dec` are containers of torch."""
  if name not in ("enc", "dec"):
    return module("Block", arrays)
  found = sys.modules["torch.nn.modules.container"].ModuleDict()
  found.__dict__.update(module("", arrays).meta["state"])
  return found


def write(path, arrays, *, outer=None, inner=None, protocol=4, **others):
  """A pickle of a denoiser with weights by their names in torch."""
  model = module("SongUNet", arrays, SONG | (inner or {}))
  network = module("EDMPrecond", {}, EDM | (outer or {}))
  network.meta["state"]["_modules"]["model"] = model
  data = sys.modules["dnnlib.util"].EasyDict(resolution=16)
  content = {"ema": network, "loss_fn": None, "dataset_kwargs": data, **others}
  file = io.BytesIO()
  Pickler(file, protocol).dump(content)
  path.write_bytes(file.getvalue())


def weights(seed=0):
  """Random weights of the denoiser that `SONG` describes, by their names in
  torch; the references of the tests are the outputs of EDM's code with them."""
  options = SongUNetConfig(
    width=8, multipliers=(1, 2), num_res_blocks=1, attention=(False, True)
  )
  model = build(options, resolution=16, channels=3)
  inputs = jnp.zeros((1, 16, 16, 3)), jnp.zeros(1)
  params = jax.eval_shape(model.init, jax.random.key(0), *inputs)["params"]
  shapes = {
    edm.partner(name, 16): in_torch(name, x.shape)
    for name, x in named(params).items()
  }
  rng = np.random.default_rng(seed)
  found = {k: rng.normal(0, 0.2, shapes[k]) for k in sorted(shapes)}
  found["map_augment.weight"] = rng.normal(size=(8, 9))
  return {k: x.astype(np.float32) for k, x in found.items()}


def in_torch(name, shape):
  """The shape in torch of a parameter: outputs first; linear maps of the
  channels of images are 1 x 1 convolutions."""
  if len(shape) == 2:
    single = name.split("/")[-2] in ("qkv", "proj", "skip")
    return (*shape[::-1], 1, 1) if single else shape[::-1]
  return (*shape[:1:-1], *shape[:2]) if len(shape) == 4 else shape
