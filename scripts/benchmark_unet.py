"""Compare the speed of the U-Net with the same one made of stock layers.

    python scripts/benchmark_unet.py
    python scripts/benchmark_unet.py --repeats=20

Times a forward pass and a training step (gradient and Adam) of 8 images of 32
pixels in float32, with 64 channels, multipliers 1, 2, 2, two residual blocks,
and attention at 16 pixels: jaxgen's network; the same with flax's GroupNorm and
attention; and the same in PyTorch, run eagerly, if PyTorch is installed. Rounds
alternate, so that a load of the machine affects all; medians are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.config.models import UNetConfig
from jaxgen.models import conv
from jaxgen.models.build import build

BATCH, SIDE = 8, 32
MODEL = UNetConfig(
  width=64,
  multipliers=(1, 2, 2),
  attention=(False, True, False),
  num_res_blocks=2,
  dtype="float32",
)


class Network(NamedTuple):
  """A network to time: its parameters, a forward pass and a training step."""

  parameters: int
  forward: Callable[[], Any]
  train_step: Callable[[], Any]


class StockNorm(nn.Module):
  """flax's group norm, followed by the condition's scale and shift."""

  @nn.compact
  def __call__(self, x, *, scale=None, shift=None):
    y = nn.GroupNorm(num_groups(x.shape[-1]), epsilon=1e-5)(x)
    if scale is None or shift is None:
      return y
    return y * (1 + scale[:, None, None]) + shift[:, None, None]


class StockAttention(nn.Module):
  """flax's attention."""

  heads: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    layer = nn.MultiHeadDotProductAttention(
      self.heads, normalize_qk=True, use_bias=False
    )
    return layer(x)


def num_groups(channels: int) -> int:
  """The number of groups that `jaxgen.models.conv.GroupNorm` chooses."""
  most = min(32, channels // 4)
  return next(g for g in range(most, 0, -1) if channels % g == 0)


@contextlib.contextmanager
def stock_layers() -> Iterator[None]:
  """Build residual blocks from flax's own layers within the block."""
  ours: Any = conv.GroupNorm, conv.SelfAttention
  theirs: Any = StockNorm, StockAttention
  conv.GroupNorm, conv.SelfAttention = theirs
  try:
    yield
  finally:
    conv.GroupNorm, conv.SelfAttention = ours


def jax_network(layers: AbstractContextManager) -> Network:
  """The network of jaxgen, built within a context."""
  with layers:
    model: Any = build(MODEL, resolution=SIDE, channels=3)
    x, noise = jnp.ones((BATCH, SIDE, SIDE, 3)), jnp.zeros(BATCH)
    params = jax.jit(model.init)(jax.random.key(0), x, noise)
    tx = optax.adam(1e-4)

    def train(params, state):
      loss = lambda p: jnp.mean((model.apply(p, x, noise) - x) ** 2)  # noqa: E731
      updates, state = tx.update(jax.grad(loss)(params), state)
      return optax.apply_updates(params, updates), state

    forward = jax.jit(model.apply).lower(params, x, noise).compile()
    held = [params, tx.init(params)]
    step = jax.jit(train, donate_argnums=(0, 1)).lower(*held).compile()

  def train_step():
    held[:] = step(*held)
    jax.block_until_ready(held)

  copy = jax.tree.map(jnp.copy, params)
  return Network(
    parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
    forward=lambda: jax.block_until_ready(forward(copy, x, noise)),
    train_step=train_step,
  )


def torch_network() -> Network:
  """The network in PyTorch, run eagerly."""
  import torch  # pyright: ignore[reportMissingImports]
  from torch_unet import UNet  # pyright: ignore[reportMissingImports]

  model = UNet(
    MODEL.width,
    MODEL.multipliers,
    num_res_blocks=MODEL.num_res_blocks,
    attention=MODEL.attention,
    num_groups=num_groups,
  )
  x, noise = torch.ones(BATCH, 3, SIDE, SIDE), torch.zeros(BATCH)
  optimizer = torch.optim.Adam(model.parameters(), 1e-4)

  def forward():
    with torch.no_grad():
      model(x, noise)

  def train_step():
    optimizer.zero_grad()
    ((model(x, noise) - x) ** 2).mean().backward()
    optimizer.step()

  return Network(
    parameters=sum(p.numel() for p in model.parameters()),
    forward=forward,
    train_step=train_step,
  )


def main() -> None:
  """Measure and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    "--repeats", type=int, default=10, help="timed rounds (default: 10)"
  )
  repeats = parser.parse_args().repeats
  builders = {
    "jaxgen": lambda: jax_network(contextlib.nullcontext()),
    "flax's layers": lambda: jax_network(stock_layers()),
    "PyTorch, eager": torch_network,
  }
  networks: dict[str, Network] = {}
  for name, build_network in builders.items():
    try:
      networks[name] = build_network()
    except ImportError:
      print(f"{name}: not installed, left out")
  forward = {name: x.forward for name, x in networks.items()}
  report(forward, label="forward", repeats=repeats)
  train_step = {name: x.train_step for name, x in networks.items()}
  report(train_step, label="training", repeats=repeats)
  print({k: f"{x.parameters:,} parameters" for k, x in networks.items()})


def report(
  calls: Mapping[str, Callable[[], Any]], *, label: str, repeats: int
) -> None:
  """Print the median milliseconds of each call, and jaxgen's time relative to
  it."""
  times: dict[str, list[float]] = {name: [] for name in calls}
  for call in calls.values():
    call()
  for _ in range(repeats):
    for name, call in calls.items():
      start = time.perf_counter()
      call()
      times[name].append(time.perf_counter() - start)
  ours = np.array(times["jaxgen"])
  for name, seconds in times.items():
    ratio = np.median(ours / np.array(seconds))
    milliseconds = statistics.median(seconds) * 1000
    print(
      f"{label:9} {name:15} {milliseconds:8.1f} ms   "
      f"jaxgen takes {ratio:.2f} of it"
    )


if __name__ == "__main__":
  main()
