"""`jaxgen.models.unet` in PyTorch."""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from peers.pytorch.blocks import Conditioning, ResBlock, group_norm


class UNet(nn.Module):
  """`(x (b, c, h, w), noise levels (b,))` to the shape of `x`."""

  def __init__(self, options: dict[str, Any], channels: int):
    super().__init__()
    self.options, self.embedding = options, 4 * options["width"]
    self.widths = [options["width"] * m for m in options["multipliers"][::-1]]
    self.conditioning = Conditioning(self.embedding)
    self.conv_in = nn.Conv2d(channels, options["width"], 3, padding=1)
    self.down: list[str] = []
    self.up: list[str] = []
    self._add_up(*self._add_down())
    self.norm_out = group_norm(self.widths[-1])
    self.conv_out = nn.Conv2d(self.widths[-1], channels, 3, padding=1)

  def _block(
    self, name: str, *sizes: int, resample: str = "", attention: bool = False
  ) -> str:
    heads = sizes[1] // self.options["head_dim"] * attention
    embedding = self.embedding
    block = ResBlock(
      *sizes, embedding=embedding, resample=resample, heads=heads
    )
    self.add_module(name, block)
    return name

  def _add_down(self) -> tuple[int, list[int]]:
    """Adds the blocks down the levels; their last width, and those of the skip
    connections."""
    options, c = self.options, self.options["width"]
    skips = [c]
    for level in reversed(range(len(self.widths))):
      if level < len(self.widths) - 1:
        name = f"level_{level + 1}_downsample"
        self.down.append(self._block(name, c, c, resample="downsample"))
        skips.append(c)
      for i in range(options["num_res_blocks"]):
        name, after = f"level_{level}_down_{i}", self.widths[level]
        attention = options["attention"][-1 - level]
        self.down.append(self._block(name, c, after, attention=attention))
        c = after
        skips.append(c)
    return c, skips

  def _add_up(self, c: int, skips: list[int]) -> None:
    """Adds the blocks at the bottom and up the levels."""
    options = self.options
    self.up.append(self._block("level_0_bottom_0", c, c, attention=True))
    self.up.append(self._block("level_0_bottom_1", c, c))
    for level, after in enumerate(self.widths):
      if level:
        name = f"level_{level - 1}_upsample"
        self.up.append(self._block(name, c, c, resample="upsample"))
      last = options["num_res_blocks"]
      for i in range(last + 1):
        name, before = f"level_{level}_up_{i}", c + skips.pop()
        attention = i == last and options["attention"][-1 - level]
        self.up.append(self._block(name, before, after, attention=attention))
        c = after

  def forward(self, x, noise):
    embedding = self.conditioning(noise, x.shape[-1])
    x = self.conv_in(x)
    skips = [x]
    for name in self.down:
      x = self.get_submodule(name)(x, embedding)
      skips.append(x)
    for name in self.up:
      if "_up_" in name:
        x = torch.cat([x, skips.pop()], dim=1)
      x = self.get_submodule(name)(x, embedding)
    return self.conv_out(F.silu(self.norm_out(x))), 0.0
