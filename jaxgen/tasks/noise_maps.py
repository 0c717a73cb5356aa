"""Noise for the training of denoisers that take a noise map.

Each image gets noise of one of three kinds:

- that of a sensor: the image is measured with Poisson-Gaussian noise, some
  pixels not at all, and fused with its diffusion noise (`restoration.fusion`);
- a smooth field of levels;
- even noise.

The noise of a sensor has the variance of the true image. The map that the
network is told comes from a pilot instead, an answer of the network itself to
the same measurement with an even map, as when it is used: a map of the true
variance, which is affine in the image, would show the image.

With `sensor_condition` the network is also told the numbers of the sensor
(`restoration.sensor_numbers`), if there is one; the pilot is not, since its map
is even. They are dropped as often as a single condition is.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgen.config.diffusion import DiffusionConfig, Range
from jaxgen.models.conditioning import ConditionSizes, Numbers
from jaxgen.restoration import fusion, poisson_gaussian, sensor_numbers
from jaxgen.restoration.counts import Counts, measured
from jaxgen.typing import Array, Conditions, DenoiseFn

SENSOR, SMOOTH = 0.5, 0.25  # fractions of the images; the others: even noise
ALONE = 0.25  # fraction of the measurements without any diffusion noise
BOTH = 0.5  # fraction of the pilots that see the diffusion noise too
PARTIAL = 0.25  # fraction of the measurements with pixels that are not seen
DROP = 5  # stream of the keys that drop numbers, after the five of `draw`
GRID = 4  # random numbers along each side of a smooth field
SPREAD = 1.2  # largest standard deviation of log sigma in a smooth field


def draw(
  config: DiffusionConfig,
  denoise: DenoiseFn,
  y: Array,
  *,
  sigma: Array,
  unit: Array,
  cond: Conditions,
  keys: Array,
) -> tuple[Array, Array, Conditions]:
  """Noisy images, their noise maps `(b, h, w, c)`, and their conditions.

  Args:
    config: the section.
    denoise: the network as it is, for the pilot; no gradient flows through it.
    y: clean images.
    sigma: noise levels `(b,)`.
    unit: standard normal noise, shaped like `y`.
    cond: conditions of the images.
    keys: one key per image, not used for anything else.
  """
  kind_key, sensor_key, field_key, alone_key, both_key = jnp.unstack(
    jax.vmap(lambda key: jax.random.split(key, 5))(keys), axis=1
  )
  kind = _uniform(kind_key)
  levels = jnp.exp(_smooth(field_key, y.shape)) * _wide(sigma)
  even = jnp.where(kind < SENSOR + SMOOTH, levels, _wide(sigma))
  plain = y + even * unit

  counts = _measure(config, y, sensor_key)
  alone = _uniform(alone_key)[:, 0, 0, 0] < ALONE
  level = jnp.where(alone, config.sigma_max, sigma)
  noisy = y + _wide(level) * unit
  both = _uniform(both_key)[:, 0, 0, 0] < BOTH
  pilot = counts.pilot(denoise, noisy, jnp.where(both, level, jnp.inf), cond)
  told = counts.precision(jax.lax.stop_gradient(pilot))
  fused, spread = fusion.fuse(
    noisy, level, values=counts.values, precision=told
  )
  pick = lambda a, b: jnp.where(kind < SENSOR, a, b)  # noqa: E731
  if config.sensor_condition:
    known = _kept(config, keys) & (kind < SENSOR)[:, 0, 0]
    given = jnp.where(known, sensor_numbers.numbers(counts), jnp.nan)
    cond = {**(cond or {}), sensor_numbers.NAME: given}
  return pick(fused, plain), pick(spread, even), cond


def condition_sizes(config: DiffusionConfig) -> ConditionSizes:
  """Those of a denoiser besides its values by name."""
  size = Numbers(sensor_numbers.NUM)
  return ((sensor_numbers.NAME, size),) if config.sensor_condition else ()


def _kept(config: DiffusionConfig, keys: Array) -> Array:
  """Whether an image's numbers are not dropped, `(b, 1)`."""
  own = jax.vmap(lambda key: jax.random.fold_in(key, DROP))(keys)
  return _uniform(own)[:, 0, 0] >= config.cond_drop_prob / 2


def _measure(config: DiffusionConfig, y: Array, keys: Array) -> Counts:
  """The images seen by random sensors."""

  def one(y: Array, key: Array) -> tuple[Array, Array, Array, Array]:
    names = ("photons", "background", "read_noise", "counts", "seen")
    each = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    photons = _log_uniform(each["photons"], config.photons)
    read_noise = _log_uniform(each["read_noise"], config.read_noise)
    background = _log_uniform(each["background"], config.background)
    scale, offset = photons / 2, photons / 2 + background
    rate = jnp.maximum(scale * y + offset, 0.0)
    counts = poisson_gaussian.simulate(
      each["counts"], rate, read_noise=read_noise
    )
    seen = _seen(each["seen"], (y.shape[0], y.shape[1]))
    return jnp.where(seen, counts, jnp.nan), scale, offset, read_noise

  counts, *known = jax.vmap(one)(y, keys)
  scale, offset, read_noise = map(_wide, known)
  return measured(counts, scale=scale, offset=offset, read_noise=read_noise)


def _seen(key: Array, sides: tuple[int, int]) -> Array:
  """Whether pixels are measured: usually all; else spots or areas where a
  random field is high are missing."""
  chance_key, white_key, smooth_key, limit_key = jax.random.split(key, 4)
  chance = jax.random.uniform(chance_key)
  spots = jax.random.normal(white_key, (*sides, 1))
  field = jnp.where(chance < PARTIAL / 2, spots, _field(smooth_key, sides))
  limit = jax.random.uniform(limit_key, maxval=2.0)
  return (chance >= PARTIAL) | (field <= limit)


def _smooth(keys: Array, shape: tuple[int, ...]) -> Array:
  """Smooth fields `(b, h, w, 1)` of log sigma about its level."""

  def one(key: Array) -> Array:
    spread_key, field_key = jax.random.split(key)
    spread = jax.random.uniform(spread_key, maxval=SPREAD)
    return spread * _field(field_key, (shape[1], shape[2]))

  return jax.vmap(one)(keys)


def _field(key: Array, sides: tuple[int, int]) -> Array:
  """A few random numbers, interpolated to `(h, w, 1)`."""
  coarse = jax.random.normal(key, (GRID, GRID, 1))
  return jax.image.resize(coarse, (*sides, 1), "cubic")


def _log_uniform(key: Array, limits: Range) -> Array:
  low, high = jnp.log(jnp.asarray(limits))
  return jnp.exp(jax.random.uniform(key, minval=low, maxval=high))


def _uniform(keys: Array) -> Array:
  """A random number in [0, 1) of each image, `(b, 1, 1, 1)`."""
  return _wide(jax.vmap(jax.random.uniform)(keys))


def _wide(values: Array) -> Array:
  return values[:, None, None, None]
