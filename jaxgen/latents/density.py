"""Densities fitted to latents, and sampling from them.

Fits run once on the host, in float64; samples are pure functions of a fitted
density and of keys, one per image, and are meant to be jitted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key

from jaxgen.latents import mixture
from jaxgen.latents.interpolation import slerp
from jaxgen.parallel.precision import measured
from jaxgen.typing import Array

PREVIEW = "gmm"  # method of the previews during training
PERTURBATION = 0.5  # standard deviations

Method = Literal["gaussian", "gmm", "interpolate", "perturb", "prior"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentDensity:
  """A Gaussian mixture over flat latents, and the latents it was fitted to.

  The mixture is over `r` coordinates `c`; latents are `center + c @ basis`.

  Attributes:
    weights: weights of the components, with sum 1.
    means: means of the components, in coordinates.
    factors: factors of the components, covariance = factor @ factor.T.
    center: the latent of coordinates 0.
    basis: orthonormal rows.
    latents: latents of real images.
  """

  weights: Float[Array, " k"]
  means: Float[Array, "k r"]
  factors: Float[Array, "k r r"]
  center: Float[Array, " d"]
  basis: Float[Array, "r d"]
  latents: Float[Array, "n d"]

  def to_latent(self, coordinates: Float[Array, " r"]) -> Float[Array, " d"]:
    """The latent with the given coordinates."""
    return self.center + coordinates @ self.basis


def fit(
  latents: Float[np.ndarray, "n d"],
  method: Method,
  *,
  components: int = 8,
  seed: int = 0,
) -> LatentDensity:
  """Fit the density for a method.

  `gmm` is a mixture of `components` full-covariance Gaussians (scikit-learn's
  EM); the others use a single full-covariance Gaussian with the shrinkage of
  Ledoit and Wolf (2004), so that few latents suffice. Latents of more than 512
  dimensions are modeled in the span of their leading principal components.

  Raises:
    ValueError: fewer than two latents.
  """
  if len(latents) < 2:
    raise ValueError(f"latents: expected two or more, got {len(latents)}")
  x = mixture.principal_coordinates(np.asarray(latents, np.float64))
  fitted = (
    mixture.fit_mixture(x.values, components=components, seed=seed)
    if method == "gmm"
    else mixture.fit_gaussian(x.values)
  )
  return LatentDensity(
    weights=_f32(fitted.weights),
    means=_f32(fitted.means),
    factors=_f32(np.stack([mixture.factor(c) for c in fitted.covariances])),
    center=_f32(x.center),
    basis=_f32(x.basis),
    latents=_f32(latents),
  )


def standard_normal(size: int) -> LatentDensity:
  """The density of the method `prior`, which needs no fit."""
  zeros = jnp.zeros
  return LatentDensity(
    weights=jnp.ones(1),
    means=zeros((1, 1)),
    factors=zeros((1, 1, 1)),
    center=zeros(size),
    basis=zeros((1, size)),
    latents=zeros((1, size)),
  )


def _f32(x: Any) -> Array:
  return jax.device_put(np.asarray(x, np.float32))


def _draw_mixture(density: LatentDensity, key: Array) -> Array:
  pick, noise = jax.random.split(key)
  k = jax.random.categorical(pick, jnp.log(density.weights))
  z = jax.random.normal(noise, density.factors.shape[2:])
  return density.to_latent(density.means[k] + density.factors[k] @ z)


def _draw_between(density: LatentDensity, key: Array) -> Array:
  pick, weight = jax.random.split(key)
  known = density.latents
  pair = jax.random.choice(pick, len(known), (2,), replace=False)
  mean = density.to_latent(density.means[0])
  a, b = known[pair[0]], known[pair[1]]
  return slerp(a, b, jax.random.uniform(weight), center=mean)


def _draw_perturbed(density: LatentDensity, key: Array) -> Array:
  pick, noise = jax.random.split(key)
  index = jax.random.randint(pick, (), 0, len(density.latents))
  z, factor = density.latents[index], density.factors[0]
  step = factor @ jax.random.normal(noise, factor.shape[1:]) @ density.basis
  mean = density.to_latent(density.means[0])
  shrink = (1 - PERTURBATION**2) ** 0.5  # preserves the covariance
  return mean + (z - mean) * shrink + PERTURBATION * step


def _draw_standard(density: LatentDensity, key: Array) -> Array:
  return jax.random.normal(key, density.latents.shape[1:])


DRAWS: dict[Method, Callable[[LatentDensity, Array], Array]] = {
  "gaussian": _draw_mixture,
  "gmm": _draw_mixture,
  "interpolate": _draw_between,
  "perturb": _draw_perturbed,
  "prior": _draw_standard,
}


@measured
def draw(
  density: LatentDensity, method: Method, keys: Key[Array, " n"]
) -> Float[Array, "n d"]:
  """Latents, one per key.

  - `gaussian`, `gmm`: samples of the fitted distribution;
  - `interpolate`: a random point between two random latents of real images;
  - `perturb`: the latent of a real image plus half a standard deviation of
    noise with the covariance, shrunk towards the mean so that the first and
    second moments are preserved;
  - `prior`: a standard normal, the prior of a variational autoencoder.
  """
  return jax.vmap(lambda key: DRAWS[method](density, key))(keys)
