"""Names and axes of weights in `diffusers` for the networks that have its
names of layers: `models.kl_autoencoder` and `models.ddpm_unet`.

    encoder/down_blocks_0_resnets_1/norm1/scale
    encoder.down_blocks.0.resnets.1.norm1.weight
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from jaxgen.errors import UserError
from jaxgen.interop.names import TORCH_LEAVES

_LIST = re.compile(
  r"(blocks|resnets|attentions|downsamplers|upsamplers)_(\d+)_?"
)
FORMER = {  # names of attention before diffusers 0.17
  "query": "to_q",
  "key": "to_k",
  "value": "to_v",
  "proj_attn": "to_out.0",
}


def partner(name: str) -> str:
  """The name in diffusers of a parameter."""
  *modules, leaf = name.split("/")
  path = ".".join(modules).replace("mid_block_", "mid_block.")
  path = _LIST.sub(r"\1.\2.", path).replace("..", ".").rstrip(".")
  path = re.sub(r"\bto_out$", "to_out.0", path)
  return f"{path}.{TORCH_LEAVES[leaf]}"


def current(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The arrays with today's names of layers.

  Raises:
    UserError: two arrays have the same name.
  """
  found = {}
  for name, x in arrays.items():
    today = ".".join(FORMER.get(part, part) for part in name.split("."))
    if today in found:
      raise UserError(f"{name} and {today}: expected one of them.")
    found[today] = x
  return found
