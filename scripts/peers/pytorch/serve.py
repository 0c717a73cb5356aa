"""Times PyTorch's networks on request: JSON lines in, JSON lines out.

{}                                       -> the version
{"build": name, "path": npz, ...}        -> builds, saves the output
{"run": name, "part": "forward" or "train", "compiled": false} -> seconds
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import functools
import json
import pathlib
import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from peers.pytorch.conv_autoencoder import ConvAutoencoder
from peers.pytorch.transformers import DiT, PatchAutoencoder
from peers.pytorch.unet import UNet
from peers.timing import timed

REASON = 300  # characters of an error that are passed on


class Network:
  """A network with its inputs and optimizer."""

  def __init__(self, request: dict[str, Any]):
    path = pathlib.Path(request["path"])
    arrays = {k: torch.from_numpy(v) for k, v in np.load(path).items()}
    self.images, self.noise = arrays.pop("images"), arrays.pop("noise")
    self.kl_weight = request["kl_weight"]
    self.model = build(request, self.images.shape[1])
    load(self.model, {k.removeprefix("params."): v for k, v in arrays.items()})
    self.optimizer = torch.optim.Adam(
      self.model.parameters(), request["learning_rate"]
    )
    np.save(path.with_suffix(".npy"), self.forward(self.model)[0].numpy())

  @functools.cached_property
  def compiled(self) -> nn.Module:
    """The network, compiled at its first call."""
    return torch.compile(self.model)

  def forward(self, model: nn.Module):
    """A forward pass."""
    with torch.no_grad():
      return model(self.images, self.noise)

  def train(self, model: nn.Module) -> None:
    """A training step."""
    self.optimizer.zero_grad()
    prediction, kl = model(self.images, self.noise)
    error = prediction - self.images
    loss = error.square().mean() + error.abs().mean() + self.kl_weight * kl
    loss.backward()
    self.optimizer.step()


def build(request: dict[str, Any], channels: int) -> nn.Module:
  """The network of a request, with random weights."""
  options, resolution = request["options"], request["resolution"]
  if options["name"] == "unet":
    return UNet(options, channels)
  if options["name"] == "conv_autoencoder":
    return ConvAutoencoder(options, channels)
  transformers = {"dit": DiT, "patch_autoencoder": PatchAutoencoder}
  return transformers[options["name"]](options, channels, resolution)


def load(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
  """Load weights, neither more nor fewer than the model has; a product over
  channels becomes a 1 x 1 convolution."""
  shapes = {k: v.shape for k, v in model.state_dict().items()}
  same = {k: v.reshape(shapes.get(k, v.shape)) for k, v in weights.items()}
  model.load_state_dict(same)


def answer(request: dict[str, Any], networks: dict[str, Network]) -> Any:
  """The reply to a request."""
  if "build" in request:
    networks[request["build"]] = Network(request)
    return {}
  if "run" not in request:
    return {"version": torch.__version__, "threads": torch.get_num_threads()}
  network = networks[request["run"]]
  model = network.compiled if request["compiled"] else network.model
  call = {"forward": network.forward, "train": network.train}[request["part"]]
  return timed(functools.partial(call, model))._asdict()


def main() -> None:
  """Answer requests until the input ends."""
  networks: dict[str, Network] = {}
  for line in sys.stdin:
    try:
      reply = answer(json.loads(line), networks)
    except Exception as error:  # passed on
      reply = {"error": f"{type(error).__name__}: {error}"[:REASON]}
    print(json.dumps(reply), flush=True)


if __name__ == "__main__":
  main()
