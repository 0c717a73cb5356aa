"""Blocks of the networks: `jaxgen.models.layers`, `conv` and `conditioning`."""

# pyright: reportMissingImports=false

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

SKIP = 0.5**0.5


class SelfAttention(nn.Module):
  """Multi-head self-attention of tokens `(b, n, width)`."""

  def __init__(self, width: int, heads: int):
    super().__init__()
    self.heads = heads
    self.qkv = nn.Linear(width, 3 * width, bias=False)
    self.q_norm = nn.RMSNorm(width // heads, eps=1e-6)
    self.k_norm = nn.RMSNorm(width // heads, eps=1e-6)
    self.out = nn.Linear(width, width)

  def forward(self, x):
    b, n, width = x.shape
    q, k, v = (
      t.reshape(b, n, self.heads, -1).transpose(1, 2)
      for t in self.qkv(x).chunk(3, dim=-1)
    )
    y = F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v)
    return self.out(y.transpose(1, 2).reshape(b, n, width))


class MLP(nn.Module):
  """Two linear layers with GELU in between."""

  def __init__(self, width: int, ratio: int):
    super().__init__()
    self.up = nn.Linear(width, ratio * width)
    self.down = nn.Linear(ratio * width, width)

  def forward(self, x):
    return self.down(F.gelu(self.up(x), approximate="tanh"))


class ResBlock(nn.Module):
  """A residual block: group norm, resampling, then attention."""

  def __init__(
    self,
    before: int,
    after: int,
    *,
    embedding: int = 0,
    resample: str = "",
    heads: int = 0,
  ):
    super().__init__()
    self.norm_in = group_norm(before)
    self.conv_in = nn.Conv2d(before, after, 3, padding=1)
    if embedding:
      self.film = nn.Linear(embedding, 2 * after)
    self.norm_out = group_norm(after)
    self.conv_out = nn.Conv2d(after, after, 3, padding=1)
    same = before == after
    self.skip = nn.Identity() if same else nn.Conv2d(before, after, 1)
    self.resample, self.heads = resample, heads
    if heads:
      self.norm_attention = group_norm(after)
      self.attention = SelfAttention(after, heads)

  def change(self, x):
    """Resample an image."""
    if self.resample == "downsample":
      return F.avg_pool2d(x, 2)
    if self.resample == "upsample":
      return F.interpolate(x, scale_factor=2, mode="nearest")
    return x

  def forward(self, x, embedding=None):
    y = self.norm_out(self.conv_in(self.change(F.silu(self.norm_in(x)))))
    if embedding is not None:
      scale, shift = self.film(embedding)[..., None, None].chunk(2, dim=1)
      y = y * (1 + scale) + shift
    x = (self.skip(self.change(x)) + self.conv_out(F.silu(y))) * SKIP
    return self.attend(x) if self.heads else x

  def attend(self, x):
    """Self-attention over the pixels."""
    y = self.attention(self.norm_attention(x).flatten(2).transpose(1, 2))
    return (x + y.transpose(1, 2).reshape(x.shape)) * SKIP


class Conditioning(nn.Module):
  """An embedding of noise level and resolution."""

  def __init__(self, width: int):
    super().__init__()
    self.width = width
    self.noise = nn.Linear(width, width)
    self.resolution = nn.Linear(32, width)
    self.hidden = nn.Linear(width, width)

  def forward(self, noise, side: int):
    size = torch.log2(torch.full_like(noise, side / 32))
    x = self.noise(fourier_features(noise, self.width))
    x = x + self.resolution(fourier_features(size, 32))
    return F.silu(self.hidden(F.silu(x)))


def fourier_features(x, num: int):
  """Cosines and sines of `x` at frequencies from 1 to 1000."""
  angles = x[:, None] * torch.logspace(0, 3, num // 2)
  return torch.cat([angles.cos(), angles.sin()], dim=-1)


def group_norm(channels: int) -> nn.GroupNorm:
  """Group norm with at most 32 groups of at least four channels."""
  most = min(32, channels // 4)
  groups = next(g for g in range(most, 0, -1) if channels % g == 0)
  return nn.GroupNorm(groups, channels)


def patchify(images, patch: int):
  """Patches `(b, patches, patch * patch * channels)` of `(b, c, h, w)`."""
  b, c, h, w = images.shape
  x = images.reshape(b, c, h // patch, patch, w // patch, patch)
  return x.permute(0, 2, 4, 3, 5, 1).reshape(b, -1, patch * patch * c)


def unpatchify(patches, patch: int):
  """The inverse of `patchify` for square images."""
  b, n, size = patches.shape
  side, c = int(n**0.5), size // patch**2
  x = patches.reshape(b, side, side, patch, patch, c)
  return x.permute(0, 5, 1, 3, 2, 4).reshape(b, c, side * patch, side * patch)
