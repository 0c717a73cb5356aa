"""`jaxgen.models.patch_autoencoder` and `dit` in PyTorch."""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from peers.pytorch.blocks import (
  MLP,
  Conditioning,
  SelfAttention,
  patchify,
  unpatchify,
)


class Block(nn.Module):
  """A pre-norm transformer block."""

  def __init__(self, width: int, *, heads: int, ratio: int):
    super().__init__()
    self.norm_attention = nn.RMSNorm(width, eps=1e-6)
    self.attention = SelfAttention(width, heads)
    self.norm_mlp = nn.RMSNorm(width, eps=1e-6)
    self.mlp = MLP(width, ratio)

  def forward(self, x):
    x = x + self.attention(self.norm_attention(x))
    return x + self.mlp(self.norm_mlp(x))


class DiTBlock(Block):
  """A block modulated by an embedding."""

  def __init__(self, width: int, *, heads: int, ratio: int):
    super().__init__(width, heads=heads, ratio=ratio)
    self.film = nn.Linear(width, 6 * width)

  def forward(self, x, embedding):
    film = self.film(embedding)[:, None].chunk(6, dim=-1)
    scale, shift, gate = film[:3]
    y = self.attention(self.norm_attention(x) * (1 + scale) + shift)
    x = x + (1 + gate) * y
    scale, shift, gate = film[3:]
    y = self.mlp(self.norm_mlp(x) * (1 + scale) + shift)
    return x + (1 + gate) * y


class PatchAutoencoder(nn.Module):
  """Images `(b, c, h, h)` to a latent vector and back."""

  def __init__(self, options: dict[str, Any], channels: int, resolution: int):
    super().__init__()
    width, self.patch = options["width"], options["patch_size"]
    tokens = (resolution // self.patch) ** 2
    pixels, features = self.patch**2 * channels, options["patch_features"]
    self.patch_in = nn.Linear(pixels, width)
    self.position_in = nn.Parameter(torch.zeros(tokens, width))
    self.encoder = _blocks(options, options["encoder_depth"])
    self.features_out = nn.Linear(width, features)
    self.latent_out = nn.Linear(tokens * features, options["latent_dim"])
    self.latent_in = nn.Linear(options["latent_dim"], tokens * features)
    self.features_in = nn.Linear(features, width)
    self.position_out = nn.Parameter(torch.zeros(tokens, width))
    self.decoder = _blocks(options, options["decoder_depth"])
    self.patch_out = nn.Linear(width, pixels)

  def forward(self, x, noise):
    x = self.patch_in(patchify(x, self.patch)) + self.position_in
    x = self.features_out(self.encoder(x))
    b, n, features = x.shape
    latents = self.latent_out(x.reshape(b, -1))
    x = self.features_in(self.latent_in(latents).reshape(b, n, features))
    x = self.patch_out(self.decoder(x + self.position_out))
    return unpatchify(x, self.patch), 0.0


class DiT(nn.Module):
  """`(x (b, c, h, h), noise levels (b,))` to the shape of `x`."""

  def __init__(self, options: dict[str, Any], channels: int, resolution: int):
    super().__init__()
    width, self.patch = options["width"], options["patch_size"]
    pixels = self.patch**2 * channels
    size = {"heads": options["heads"], "ratio": options["mlp_ratio"]}
    self.conditioning = Conditioning(width)
    self.patch_in = nn.Linear(pixels, width)
    side = resolution // self.patch
    self.register_buffer("positions", positions(side, width), persistent=False)
    self.blocks = [f"block_{i}" for i in range(options["depth"])]
    for name in self.blocks:
      self.add_module(name, DiTBlock(width, **size))
    self.norm_out = nn.RMSNorm(width, eps=1e-6)
    self.patch_out = nn.Linear(width, pixels)

  def forward(self, x, noise):
    embedding = self.conditioning(noise, x.shape[-1])
    x = self.patch_in(patchify(x, self.patch)) + self.positions
    for name in self.blocks:
      x = self.get_submodule(name)(x, embedding)
    return unpatchify(self.patch_out(self.norm_out(x)), self.patch), 0.0


def positions(side: int, width: int):
  """Sines and cosines of the position of each patch, `(side^2, width)`."""
  frequencies = 1 / 100 ** (torch.arange(width // 4) / (width // 4))
  centers = torch.arange(side) + 0.5
  centers = torch.stack(torch.meshgrid(centers, centers, indexing="ij"), -1)
  angles = (centers[..., None] * frequencies).reshape(side**2, -1)
  return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _blocks(options: dict[str, Any], depth: int) -> nn.Sequential:
  size = {"heads": options["heads"], "ratio": options["mlp_ratio"]}
  blocks = nn.Sequential()
  for i in range(depth):
    blocks.add_module(f"block_{i}", Block(options["width"], **size))
  return blocks
