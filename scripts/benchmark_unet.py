"""Speed of the U-Net, compared with the same network of flax's and PyTorch's
layers.

    python scripts/benchmark_unet.py
    python scripts/benchmark_unet.py --repeats=20

Times a forward pass and a training step (gradient and Adam) of 8 images of 32
pixels in float32, with 64 channels, multipliers 1, 2, 2, two blocks, attention
at 16 pixels: jaxgen's network; the same with flax's GroupNorm and attention;
and the same in PyTorch, run eagerly, where PyTorch is installed. Rounds
alternate, so that a busy moment affects all; medians are reported.
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

from jaxgen.config.models import UNetConfig
from jaxgen.models import conv
from jaxgen.models.build import build

BATCH, SIDE, WIDTH, BLOCKS = 8, 32, 64, 2
MULTIPLIERS, ATTENTION = (1, 2, 2), (False, True, False)
OPTIONS = UNetConfig(
  width=WIDTH,
  multipliers=MULTIPLIERS,
  attention=ATTENTION,
  num_res_blocks=BLOCKS,
  dtype="float32",
)


class StockNorm(nn.Module):
  """flax's group norm, followed by the condition's scale and shift."""

  @nn.compact
  def __call__(self, x, *, scale=None, shift=None):
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
  """The number of groups that `jaxgen.models.conv.GroupNorm` has."""
  most = min(32, channels // 4)
  return next(g for g in range(most, 0, -1) if channels % g == 0)


@contextlib.contextmanager
def stock() -> Iterator[None]:
  """A context in which residual blocks are made of flax's own layers."""
  ours: Any = conv.GroupNorm, conv.SelfAttention
  theirs: Any = StockNorm, StockAttention
  conv.GroupNorm, conv.SelfAttention = theirs
  try:
    yield
  finally:
    conv.GroupNorm, conv.SelfAttention = ours


def jax_calls(
  layers: contextlib.AbstractContextManager[None],
) -> tuple[int, dict[str, Callable[[], object]]]:
  """Number of parameters, and a forward pass and a training step as functions
  without arguments."""
  with layers:
    model: Any = build(OPTIONS, resolution=SIDE, channels=3)
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


def torch_calls() -> tuple[int, dict[str, Callable[[], object]]]:
  """The same for PyTorch, run eagerly."""
  import torch  # pyright: ignore[reportMissingImports]
  from torch_unet import UNet  # pyright: ignore[reportMissingImports]

  model = UNet(
    WIDTH,
    multipliers=MULTIPLIERS,
    blocks=BLOCKS,
    attention=ATTENTION,
    groups=_groups,
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

  count = sum(p.numel() for p in model.parameters())
  return count, {"forward": forward, "training": train_step}


def main() -> None:
  """Measure and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--repeats", type=int, default=10)
  repeats = parser.parse_args().repeats
  builders = {
    "jaxgen": lambda: jax_calls(contextlib.nullcontext()),
    "flax's layers": lambda: jax_calls(stock()),
    "PyTorch, eager": torch_calls,
  }
  networks = {}
  for name, build_calls in builders.items():
    try:
      networks[name] = build_calls()
    except ImportError:
      print(f"{name}: not installed, skipped")
  for kind in ("forward", "training"):
    calls = {name: made[kind] for name, (_, made) in networks.items()}
    report(calls, kind, repeats=repeats)
  print(
    {name: f"{count:,} parameters" for name, (count, _) in networks.items()}
  )


def report(
  calls: dict[str, Callable[[], object]], kind: str, *, repeats: int
) -> None:
  """Print the median milliseconds of each, and the ratio of jaxgen's to it."""
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
    median = statistics.median(seconds) * 1000
    print(
      f"{kind:9} {name:15} {median:8.1f} ms   jaxgen takes {ratio:.2f} of it"
    )


if __name__ == "__main__":
  main()
