"""Sampling: runs any sampler from noise to images, along a decreasing grid of
noise levels.

    x = sampling.initial_noise(keys, (h, w, c), sigma=sigmas[0])
    x = sampling.sample(samplers.heun, denoise, x, sigmas)

A `Sampler` is data: its step from one noise level to the next, and the cost of
a step. They are defined in `samplers`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, Protocol, overload, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key

from jaxgen.typing import Array, Conditions, DenoiseFn, Images, Sigmas

Start = Float[Array | np.ndarray, "b h w c"]
Grid = Float[Array | np.ndarray, " n"]
Keys = Key[Array, " b"]
Level = Float[Array, ""]
Trajectory = Float[Array, "steps b h w c"]
Noise = Callable[[int], Images]  # k -> the k-th draw of a step, shaped like x
Memory = Any  # a tree of arrays, private to the sampler


@runtime_checkable
class StepFn(Protocol):
  """One step of a sampler, from noise level s to a lower level t."""

  def __call__(
    self,
    denoise: DenoiseFn,
    x: Images,
    s: Level,
    t: Level,
    *,
    noise: Noise,
    memory: Memory,
  ) -> tuple[Images, Memory, Images]:
    """Returns x at t, the memory for the next step, and the images denoised
    at s; `s` and `t` are scalars."""
    ...


def _no_memory(x: Images, sigmas: Grid) -> Memory:
  return ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampler:
  """A solver of the flow from noise to images, or of the reverse SDE.

  Attributes:
    step: a step from one noise level to the next.
    calls: denoiser calls per step; the last step, to 0, takes one.
    draws: draws of standard normal noise per step; 0: deterministic.
    init: the memory before the first step, from the images and the grid.
  """

  step: StepFn
  calls: int = 1
  draws: int = 0
  init: Callable[[Images, Grid], Memory] = _no_memory

  @property
  def stochastic(self) -> bool:
    """Whether steps add noise."""
    return self.draws > 0

  def nfe(self, steps: int) -> int:
    """Denoiser calls on a grid of `steps` steps that ends in 0."""
    return self.calls * (steps - 1) + 1


@overload
def sample(
  sampler: Sampler,
  denoise: DenoiseFn,
  x: Start,
  sigmas: Grid,
  *,
  keys: Keys | None = None,
  trajectory: Literal[False] = False,
) -> Images:
  """The images only."""
  ...


@overload
def sample(
  sampler: Sampler,
  denoise: DenoiseFn,
  x: Start,
  sigmas: Grid,
  *,
  keys: Keys | None = None,
  trajectory: Literal[True],
) -> tuple[Images, Trajectory]:
  """The images, and the denoised images of each step."""
  ...


def sample(
  sampler: Sampler,
  denoise: DenoiseFn,
  x: Start,
  sigmas: Grid,
  *,
  keys: Keys | None = None,
  trajectory: bool = False,
) -> Images | tuple[Images, Trajectory]:
  """Run a sampler down a grid of noise levels.

  Args:
    sampler: the sampler.
    denoise: the denoiser, with its conditions bound.
    x: `(b, h, w, c)`, sigmas[0] times standard normal noise.
    sigmas: decreasing levels `(steps + 1,)`, ending in 0 (`diffusion.sigmas`).
    keys: one random key per image `(b,)`, so that an image does not depend on
      its batch; only needed by stochastic samplers.
    trajectory: also return the denoised images of each step.

  Returns:
    The images; with `trajectory` also the denoised ones `(steps, b, h, w, c)`.
  """
  if sampler.stochastic and keys is None:
    raise ValueError("keys: expected one key per image, got None")
  start = jnp.asarray(x)
  levels = jnp.asarray(sigmas, start.dtype)

  def body(carry: Any, interval: Any) -> tuple[Any, Any]:
    (x, memory), (s, t, i) = carry, interval

    def noise(k: int) -> Images:
      assert keys is not None
      return _noise(keys, sampler.draws * i + k, x)

    x, memory, d = sampler.step(denoise, x, s, t, noise=noise, memory=memory)
    return (x, memory), d if trajectory else None

  intervals = levels[:-1], levels[1:], jnp.arange(len(levels) - 1)
  init = start, sampler.init(start, levels)
  (end, _), denoised = jax.lax.scan(body, init, intervals)
  return (end, denoised) if trajectory else end


def bind(denoise: DenoiseFn, given: Conditions) -> DenoiseFn:
  """A denoiser with its conditions bound; a sampler may tell it more, by
  name."""

  def bound(x: Images, sigma: Sigmas, cond: Conditions = None) -> Images:
    return denoise(x, sigma, {**(given or {}), **cond} if cond else given)

  return bound


def initial_noise(
  keys: Keys, shape: tuple[int, ...], *, sigma: float | Level
) -> Images:
  """Noise `(b, *shape)` of level `sigma`, each image a function of its key."""
  draw = lambda key: jax.random.normal(jax.random.fold_in(key, 2**31), shape)  # noqa: E731
  return sigma * jax.vmap(draw)(keys)


def _noise(keys: Keys, i: Array, x: Images) -> Images:
  """Standard normal noise, a function of each image's key and the index."""
  shape, fold = x.shape[1:], jax.random.fold_in
  return jax.vmap(lambda k: jax.random.normal(fold(k, i), shape, x.dtype))(keys)
