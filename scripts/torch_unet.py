"""`jaxgen.models.unet` in PyTorch, for `benchmark_unet.py`."""

# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

SKIP = 0.5**0.5


class ResBlock(nn.Module):
  """A residual block: adaptive group norm, resampling, then attention."""

  def __init__(
    self,
    before: int,
    after: int,
    *,
    embedding: int,
    num_groups: Callable[[int], int],
    resample: str = "",
    heads: int = 0,
  ):
    super().__init__()
    self.norm_in = nn.GroupNorm(num_groups(before), before)
    self.conv_in = nn.Conv2d(before, after, 3, padding=1)
    self.film = nn.Linear(embedding, 2 * after)
    self.norm_out = nn.GroupNorm(num_groups(after), after)
    self.conv_out = nn.Conv2d(after, after, 3, padding=1)
    same = before == after
    self.skip = nn.Identity() if same else nn.Conv2d(before, after, 1)
    self.resample, self.heads = resample, heads
    if heads:
      self.norm_attention = nn.GroupNorm(num_groups(after), after)
      self.qkv = nn.Linear(after, 3 * after, bias=False)
      self.q_norm, self.k_norm = (nn.RMSNorm(after // heads) for _ in "qk")
      self.out = nn.Linear(after, after)

  def change(self, x):
    """Resample an image."""
    if self.resample == "downsample":
      return F.avg_pool2d(x, 2)
    if self.resample == "upsample":
      return F.interpolate(x, scale_factor=2, mode="nearest")
    return x

  def forward(self, x, embedding):
    y = self.conv_in(self.change(F.silu(self.norm_in(x))))
    scale, shift = self.film(embedding)[..., None, None].chunk(2, dim=1)
    y = F.silu(self.norm_out(y) * (1 + scale) + shift)
    x = (self.skip(self.change(x)) + self.conv_out(y)) * SKIP
    return self.attend(x) if self.heads else x

  def attend(self, x):
    """Self-attention over the pixels."""
    b, c, h, w = x.shape
    flat = self.norm_attention(x).flatten(2).transpose(1, 2)
    q, k, v = (
      t.reshape(b, h * w, self.heads, -1).transpose(1, 2)
      for t in self.qkv(flat).chunk(3, dim=-1)
    )
    y = F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v)
    y = self.out(y.transpose(1, 2).reshape(b, h * w, c))
    return (x + y.transpose(1, 2).reshape(x.shape)) * SKIP


class UNet(nn.Module):
  """`(x (b, 3, h, w), c_noise (b,))` to the shape of `x`."""

  def __init__(
    self,
    width: int,
    multipliers: tuple[int, ...],
    *,
    num_res_blocks: int,
    attention: tuple[bool, ...],
    num_groups: Callable[[int], int],
    head_dim: int = 64,
  ):
    super().__init__()
    e, self.width = 4 * width, width
    self.noise, self.resolution = nn.Linear(e, e), nn.Linear(32, e)
    self.hidden = nn.Linear(e, e)
    self.conv_in = nn.Conv2d(3, width, 3, padding=1)
    sizes = [width * m for m in multipliers]
    heads = [c // head_dim * a for c, a in zip(sizes, attention, strict=True)]

    def block(before: int, after: int, **options) -> ResBlock:
      return ResBlock(
        before, after, embedding=e, num_groups=num_groups, **options
      )

    self.down, self.up = nn.ModuleList(), nn.ModuleList()
    skips, c = [width], width
    for level, size in enumerate(sizes):
      if level:
        self.down.append(block(c, c, resample="downsample"))
        skips.append(c)
      for _ in range(num_res_blocks):
        self.down.append(block(c, size, heads=heads[level]))
        c = size
        skips.append(c)
    first = block(c, c, heads=c // head_dim)
    self.bottom = nn.ModuleList([first, block(c, c)])
    for level in reversed(range(len(sizes))):
      if level < len(sizes) - 1:
        self.up.append(block(c, c, resample="upsample"))
      for i in range(num_res_blocks + 1):
        h = heads[level] if i == num_res_blocks else 0
        self.up.append(block(c + skips.pop(), sizes[level], heads=h))
        c = sizes[level]
    self.norm_out = nn.GroupNorm(num_groups(c), c)
    self.conv_out = nn.Conv2d(c, 3, 3, padding=1)

  def forward(self, x, noise):
    size = torch.full_like(noise, 0.0)
    embedding = self.noise(fourier_features(noise, 4 * self.width))
    embedding = embedding + self.resolution(fourier_features(size, 32))
    embedding = F.silu(self.hidden(F.silu(embedding)))
    x = self.conv_in(x)
    skips = [x]
    for block in self.down:
      x = block(x, embedding)
      skips.append(x)
    for block in self.bottom:
      x = block(x, embedding)
    for block in self.up:
      if block.resample != "upsample":
        x = torch.cat([x, skips.pop()], dim=1)
      x = block(x, embedding)
    return self.conv_out(F.silu(self.norm_out(x)))


def fourier_features(x, num: int):
  """Cosines and sines, as `jaxgen.models.conditioning.fourier_features`."""
  angles = x[:, None] * torch.logspace(0, 3, num // 2)
  return torch.cat([angles.cos(), angles.sin()], dim=-1)
