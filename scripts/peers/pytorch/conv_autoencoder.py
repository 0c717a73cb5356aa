"""`jaxgen.models.conv_autoencoder` in PyTorch, variational, without heads."""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from peers.pytorch.blocks import ResBlock, group_norm

LOG_VARIANCE = (-30.0, 20.0)


class Encoder(nn.Sequential):
  """Images to the mean and log variance of the latents."""

  def __init__(self, options: dict[str, Any], channels: int):
    super().__init__()
    widths, last = options["widths"], options["widths"][-1]
    conv = nn.Conv2d(channels, widths[0], 3, padding=1)
    self.add_module("conv_in", conv)
    for depth, width in enumerate(widths):
      if depth:
        block = ResBlock(widths[depth - 1], width, resample="downsample")
        self.add_module(f"downsample_{depth}", block)
      for i in range(options["num_res_blocks"]):
        self.add_module(f"level_{depth}_{i}", ResBlock(width, width))
    self.add_module("bottom", ResBlock(last, last))
    _add_head(self, last, 2 * options["latent_channels"])


class Decoder(nn.Sequential):
  """Latents to images."""

  def __init__(self, options: dict[str, Any], channels: int):
    super().__init__()
    widths, last = options["widths"], options["widths"][-1]
    conv = nn.Conv2d(options["latent_channels"], last, 3, padding=1)
    self.add_module("conv_in", conv)
    self.add_module("bottom", ResBlock(last, last))
    for depth, width in reversed(list(enumerate(widths))):
      if depth + 1 < len(widths):
        block = ResBlock(widths[depth + 1], width, resample="upsample")
        self.add_module(f"upsample_{depth}", block)
      for i in range(options["num_res_blocks"]):
        self.add_module(f"level_{depth}_{i}", ResBlock(width, width))
    _add_head(self, widths[0], channels)


class ConvAutoencoder(nn.Module):
  """`(images, noise)` to images and the KL divergence of the latents."""

  def __init__(self, options: dict[str, Any], channels: int):
    super().__init__()
    self.encoder = Encoder(options, channels)
    self.decoder = Decoder(options, channels)

  def forward(self, x, noise):
    mean, log_variance = self.encoder(x).chunk(2, dim=1)
    log_variance = log_variance.clamp(*LOG_VARIANCE)
    images = self.decoder(mean + torch.exp(log_variance / 2) * noise)
    kl = mean.square() + log_variance.exp() - 1 - log_variance
    return images, kl.mean() / 2


def _add_head(layers: nn.Sequential, before: int, after: int) -> None:
  layers.add_module("norm_out", group_norm(before))
  layers.add_module("silu", nn.SiLU())
  layers.add_module("conv_out", nn.Conv2d(before, after, 3, padding=1))
