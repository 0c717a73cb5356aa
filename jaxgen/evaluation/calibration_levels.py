"""The calibration of a denoiser: its squared errors beside the variances that
it announces itself, by noise level.

The covariance of clean images given x, with the noise map s', is J diag(s'^2),
J = dD/dx (Tweedie's formula); for one level sigma^2 J. Its trace is the mean of
v' J s'^2 v over random signs v (Hutchinson).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgen.diffusion.edm import per_image
from jaxgen.evaluation import image_bootstrap
from jaxgen.evaluation.image_bootstrap import Interval, Weights
from jaxgen.evaluation.prior import Keys, Prior, image_keys
from jaxgen.evaluation.sensors import Sensor
from jaxgen.models.attention import attention_tracing
from jaxgen.restoration import fusion, sensor_numbers
from jaxgen.typing import Array, DenoiseFn, Images, Params, Sigmas

SIGMAS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
PROBES = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
  """Errors and announced variances at a noise level.

  Attributes:
    level: sigma, or the photons of counts.
    ratio: squared error over announced variance, with its interval.
    error: mean squared error of the tiles, in units of the image.
    negative: share of tiles whose announced variance is not above 0.
  """

  level: float
  ratio: Interval
  error: float
  negative: float


def announced(
  denoise: DenoiseFn, x: Images, levels: Sigmas, *, keys: Keys, probes: int
) -> tuple[Images, Float[Array, " b"]]:
  """The denoised images, and the mean variance of their values that the
  denoiser announces."""
  with attention_tracing("forward_mode"):
    clean, push = jax.linearize(lambda x: denoise(x, levels), x)
  variance = jnp.broadcast_to(per_image(levels) ** 2, x.shape)
  draw = jax.vmap(lambda key: jax.random.rademacher(key, x.shape[1:], x.dtype))

  def probe(i: Array) -> Float[Array, " b"]:
    signs = draw(jax.vmap(lambda key: jax.random.fold_in(key, i))(keys))
    return jnp.mean(signs * push(variance * signs), (1, 2, 3))

  return clean, jnp.mean(jax.lax.map(probe, jnp.arange(probes)), 0)


def by_sigma(
  prior: Prior,
  images: np.ndarray,
  weights: Weights,
  *,
  levels: Sequence[float] = SIGMAS,
  seed: int = 0,
  probes: int = PROBES,
) -> list[Calibration]:
  """The calibration of a denoiser for even noise, by its level."""

  @jax.jit
  def program(params: Params, y: Images, data: Array, sigma: Array):
    keys = jax.random.wrap_key_data(data)
    unit = jax.vmap(lambda key: jax.random.normal(key, y.shape[1:]))(keys)
    level = jnp.full(len(y), sigma)
    measure = functools.partial(announced, keys=keys, probes=probes)
    clean, variance = measure(prior.denoiser(params), y + sigma * unit, level)
    return _pairs(clean, y, variance)

  given = {"image": images, "keys": _key_data(seed, len(images))}
  pairs = [
    prior.each(program, given, sigma, label=f"calibration at {sigma:g}")
    for sigma in levels
  ]
  return _calibrations(levels, pairs, weights)


def by_photons(
  prior: Prior,
  images: np.ndarray,
  counts: dict[Sensor, np.ndarray],
  weights: Weights,
  *,
  seed: int = 0,
  probes: int = PROBES,
) -> list[Calibration]:
  """The calibration of a denoiser of noise maps that restores counts, by the
  photons of the sensor."""

  @jax.jit
  def program(
    params: Params, y: Images, data: Array, counts: Images, sensor: Sensor
  ):
    denoise, keys = prior.denoiser(params), jax.random.wrap_key_data(data)
    values, nothing = sensor.measured(counts), jnp.full(len(y), jnp.inf)
    pilot = values.pilot(denoise, jnp.zeros_like(y), nothing)
    x, levels = fusion.fuse(
      jnp.zeros_like(y),
      nothing,
      values=values.values,
      precision=values.precision(pilot),
    )
    told = functools.partial(denoise, cond=sensor_numbers.told(values, None))
    clean, variance = announced(told, x, levels, keys=keys, probes=probes)
    return _pairs(clean, y, variance)

  data = _key_data(seed, len(images))
  pairs = [
    prior.each(
      program,
      {"image": images, "keys": data, "counts": seen},
      sensor,
      label=f"calibration at {sensor.photons:g} photons",
    )
    for sensor, seen in counts.items()
  ]
  levels = [float(sensor.photons) for sensor in counts]
  return _calibrations(levels, pairs, weights)


def _key_data(seed: int, num: int) -> np.ndarray:
  """Keys of images, not used for their counts."""
  return np.asarray(jax.random.key_data(image_keys(seed, num, "calibration")))


def _pairs(
  clean: Images, y: Images, variance: Float[Array, " b"]
) -> Float[Array, "b 2"]:
  error = jnp.mean((clean - y) ** 2, (1, 2, 3))
  return jnp.stack([error, variance], 1)


def _calibrations(
  levels: Sequence[float], pairs: Sequence[np.ndarray], weights: Weights
) -> list[Calibration]:
  return [
    Calibration(
      level=float(level),
      ratio=image_bootstrap.interval(
        functools.partial(image_bootstrap.ratio, *pair.T.astype(float)),
        weights,
      ),
      error=float(pair[:, 0].mean()),
      negative=float(np.mean(pair[:, 1] <= 0)),
    )
    for level, pair in zip(levels, pairs, strict=True)
  ]
