"""The U-Net against the same one of stock layers: flax's, and PyTorch's.

    python scripts/benchmark_unet.py
    python scripts/benchmark_unet.py --repeats=20

Times a forward pass and a training step (gradient and Adam) of 8 images of 32
pixels in float32, of 64 channels, multipliers 1, 2, 2, two blocks, attention at
16 pixels: ours; ours with flax's GroupNorm and attention in it; and written in
PyTorch, run eagerly, where PyTorch is installed (it is not needed otherwise).
Rounds alternate, so that a busy moment hits all; the medians count.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.models import conv
from jaxgen.models.build import build

BATCH, SIDE, WIDTH, BLOCKS = 8, 32, 64, 2
MULTIPLIERS, ATTENTION = (1, 2, 2), (False, True, False)
MODEL = {
  "name": "unet",
  "width": WIDTH,
  "multipliers": MULTIPLIERS,
  "attention": ATTENTION,
  "blocks": BLOCKS,
  "dtype": "float32",
}


class StockNorm(nn.Module):
  """flax's group norm, with the condition's scale and shift after it."""

  @nn.compact
  def __call__(self, x, scale=None, shift=None):
    y = nn.GroupNorm(_groups(x.shape[-1]), epsilon=1e-5)(x)
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


def _groups(channels: int) -> int:
  """As `jaxgen.models.conv.GroupNorm` chooses them."""
  most = min(32, channels // 4)
  return next(g for g in range(most, 0, -1) if channels % g == 0)


@contextlib.contextmanager
def stock() -> Iterator[None]:
  """Within, residual blocks are made of flax's own layers."""
  ours: Any = conv.GroupNorm, conv.SelfAttention
  theirs: Any = StockNorm, StockAttention
  conv.GroupNorm, conv.SelfAttention = theirs
  try:
    yield
  finally:
    conv.GroupNorm, conv.SelfAttention = ours


def of_jax(swap: Any) -> tuple[int, dict[str, Callable[[], Any]]]:
  """Parameters, and a forward pass and a training step as functions."""
  with swap:
    model = build(MODEL, resolution=SIDE, channels=3, sizes=())
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

  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  copy = jax.tree.map(jnp.copy, params)
  call = lambda: jax.block_until_ready(forward(copy, x, noise))  # noqa: E731
  return count, {"forward": call, "training": train_step}


def of_torch() -> tuple[int, dict[str, Callable[[], Any]]]:
  """The same of PyTorch, eagerly."""
  import torch  # pyright: ignore[reportMissingImports]
  from torch_unet import UNet  # pyright: ignore[reportMissingImports]

  model = UNet(WIDTH, MULTIPLIERS, BLOCKS, ATTENTION, _groups)
  x, noise = torch.ones(BATCH, 3, SIDE, SIDE), torch.zeros(BATCH)
  optimizer = torch.optim.Adam(model.parameters(), 1e-4)

  def forward():
    with torch.no_grad():
      model(x, noise)

  def train_step():
    optimizer.zero_grad()
    ((model(x, noise) - x) ** 2).mean().backward()
    optimizer.step()

  count = sum(p.numel() for p in model.parameters())
  return count, {"forward": forward, "training": train_step}


def main() -> None:
  """Measure and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--repeats", type=int, default=10)
  repeats = parser.parse_args().repeats
  kinds = {"jaxgen": lambda: of_jax(contextlib.nullcontext())}
  kinds["flax's layers"] = lambda: of_jax(stock())
  kinds["PyTorch, eager"] = of_torch
  made = {}
  for name, make in kinds.items():
    try:
      made[name] = make()
    except ImportError:
      print(f"{name}: not installed, left out")
  for what in ("forward", "training"):
    report({k: v[1][what] for k, v in made.items()}, what, repeats)
  print({name: f"{count:,} parameters" for name, (count, _) in made.items()})


def report(calls: dict[str, Callable], what: str, repeats: int) -> None:
  """Median milliseconds of each, and the ratio of ours to it."""
  times: dict[str, list[float]] = {name: [] for name in calls}
  for call in calls.values():
    call()
  for _ in range(repeats):
    for name, call in calls.items():
      start = time.perf_counter()
      call()
      times[name].append(time.perf_counter() - start)
  ours = np.array(times["jaxgen"])
  for name, taken in times.items():
    ratio = np.median(ours / np.array(taken))
    middle = statistics.median(taken) * 1000
    print(
      f"{what:9} {name:15} {middle:8.1f} ms   jaxgen takes {ratio:.2f} of it"
    )


if __name__ == "__main__":
  main()
