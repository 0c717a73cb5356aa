"""Laws of the restoration of photon counts."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.diffusion.edm import per_image
from jaxgen.diffusion.tiling import windowed
from jaxgen.laws import photon_noise, posterior_samples
from jaxgen.laws.law import Law
from jaxgen.laws.photon_noise import (
  COVARIANCE,
  FIELD,
  READ,
  SIDE,
  exposure,
  fields,
)
from jaxgen.restoration import poisson_gaussian, residuals
from jaxgen.restoration.posterior import restore
from jaxgen.typing import Array, Conditions, DenoiseFn


def wrong_off_its_noise(strength: float = 1.0) -> DenoiseFn:
  """The exact denoiser plus an error that grows as the noise of an image
  departs from what the denoiser is told."""
  variances = jnp.asarray(np.linalg.eigvalsh(COVARIANCE), jnp.float32)

  def denoise(x: Array, sigma: Array, cond: Conditions = None) -> Array:
    clean, level = FIELD(x, sigma), per_image(sigma)
    removed = jnp.mean((x - clean) ** 2, (1, 2, 3))
    told = sigma[:, None] ** 2
    expected = jnp.mean(told**2 / (variances[None] + told), 1)
    off = removed / expected - 1
    return clean + strength * level * per_image(off)

  return denoise


def lost_decibels(photons: float = 5.0, *, maximum: bool = False) -> float:
  """What `restore` loses against one call at the mean noise, in dB, of a
  denoiser that is wrong off its noise level, by the worst number of
  corrections up to 2; `maximum`: one call told the largest noise instead."""
  sensor, num = exposure(photons), 16
  truth = fields(num * SIDE).reshape(num, SIDE, SIDE, 1)
  truth = jnp.asarray(truth, jnp.float32)
  rate = jnp.maximum(sensor["scale"] * truth + sensor["offset"], 0.05)
  counts = poisson_gaussian.simulate(jax.random.key(0), rate, read_noise=READ)
  denoise = wrong_off_its_noise()
  u = (counts - sensor["offset"]) / sensor["scale"]
  variance = (rate + READ**2).reshape(num, -1) / sensor["scale"] ** 2
  error = lambda x: float(jnp.mean((x - truth) ** 2))  # noqa: E731
  single = error(denoise(u, jnp.sqrt(variance.mean(1))))
  if maximum:
    worst = error(denoise(u, jnp.sqrt(variance.max(1))))
  else:
    nothing = jnp.full(num, jnp.inf)
    ways = [
      restore(denoise, counts, corrections=k, **sensor) for k in (0, 1, 2)
    ]
    worst = max(error(way(0 * u, nothing)) for way in ways)
  return float(10 * np.log10(worst / single))


def residual_growth() -> float:
  """Largest growth of a residual from one step to the next, relative to its
  start, of systems that are not symmetric."""
  matrix = jax.random.normal(jax.random.key(0), (8, 12, 12)) / 3
  matrix = matrix + jnp.eye(12)[None]
  right = jax.random.normal(jax.random.key(1), (8, 12))
  images = jnp.zeros((8, 1, 12, 1))

  def apply(x: Array) -> tuple[Array, Array]:
    return x[:, None, :, None], jnp.einsum("bij,bj->bi", matrix, x)

  norms = [
    jnp.linalg.norm(
      residuals.solve(apply, right, steps=k, like=images)[1], axis=1
    )
    for k in range(9)
  ]
  return float(jnp.diff(jnp.stack(norms), axis=0).max() / norms[0].max())


def tile_difference() -> float:
  """Largest difference between a canvas of one tile and the tile."""
  counts = jnp.asarray(np.random.default_rng(0).poisson(9.0, (2, 16, 16, 1)))
  counts = counts.astype(jnp.float32)
  x = jax.random.normal(jax.random.key(0), counts.shape)
  tiles = windowed(FIELD, side=16, overlap=4)
  tile, canvas = (
    restore(denoise, counts, **exposure(20.0))(x, jnp.ones(2))
    for denoise in (FIELD, tiles)
  )
  return float(jnp.abs(tile - canvas).max())


LAWS = (
  *photon_noise.LAWS,
  *posterior_samples.LAWS,
  Law(
    name="growth of residuals",
    source="Eisenstat et al. 1983",
    expected=0,
    tolerance=1e-5,
    measure=lambda: max(residual_growth(), 0.0),
  ),
  Law(
    name="restored canvas of one tile - restored tile",
    source="weights of windows sum to 1",
    expected=0,
    tolerance=1e-5,
    measure=tile_difference,
  ),
  Law(
    name="decibels lost by a denoiser that is wrong off its noise level",
    source="one call at the mean noise",
    expected=0,
    tolerance=1,
    measure=lambda: max(lost_decibels(), 0.0),
  ),
)
