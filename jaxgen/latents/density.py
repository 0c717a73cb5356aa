"""Distributions fitted to a bank of latents, and draws from them.

Fits run once on the host, in float64; draws are pure functions of a fitted
prior and of keys, one key for each image, and are meant to be jitted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.errors import UserError
from jaxgen.typing import Array

WIDE = 512
PREVIEW = "gmm"  # what previews of a training draw from

Method = Literal["gaussian", "gmm", "interpolate", "perturb", "prior"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Prior:
  """A Gaussian mixture over flat latents, and the bank it was fitted to.

  The mixture lives on coordinates `c` of `r` numbers; latents are
  `centre + c @ basis`.

  Attributes:
    weights: `(k,)`, sum 1.
    means: `(k, r)`.
    factors: `(k, r, r)`, covariance = factor @ factor.T.
    centre: `(d,)`.
    basis: `(r, d)`, orthonormal rows.
    bank: `(n, d)` latents of real images.
  """

  weights: Array
  means: Array
  factors: Array
  centre: Array
  basis: Array
  bank: Array

  def latent(self, coordinates: Array) -> Array:
    """The latent `(d,)` of coordinates `(r,)`."""
    return self.centre + coordinates @ self.basis


def fit(
  latents: np.ndarray, method: Method, *, components: int = 8, seed: int = 0
) -> Prior:
  """Fit the prior that `method` draws from to latents `(n, d)`.

  `gmm` is a mixture of `components` full-covariance Gaussians (scikit-learn's
  EM); the others use one Gaussian with the full covariance, shrunk after Ledoit
  and Wolf (2004) so that few latents give a usable estimate. Latents of more
  than `WIDE` numbers are modelled in the span of their `WIDE` leading principal
  components.

  Raises:
    UserError: fewer than two latents.
  """
  if len(latents) < 2:
    raise UserError("a prior needs the latents of at least two images.")
  centre, basis, z = _principal(np.asarray(latents, np.float64))
  if method == "gmm":
    weights, means, covariances = _mixture(z, components, seed)
  else:
    weights, means, covariances = _gaussian(z)
  return Prior(
    weights=_f32(weights),
    means=_f32(means),
    factors=_f32(np.stack([_factor(c) for c in covariances])),
    centre=_f32(centre),
    basis=_f32(basis),
    bank=_f32(latents),
  )


def standard(size: int) -> Prior:
  """What `prior` draws of `size` numbers from; it is fitted to nothing."""
  zeros = jnp.zeros
  return Prior(
    weights=jnp.ones(1),
    means=zeros((1, 1)),
    factors=zeros((1, 1, 1)),
    centre=zeros(size),
    basis=zeros((1, size)),
    bank=zeros((1, size)),
  )


def _principal(latents: np.ndarray):
  """Centre `(d,)`, basis `(r, d)` and coordinates `(n, r)` of wide latents; of
  others the latents as they are."""
  d = latents.shape[1]
  if d <= WIDE:
    return np.zeros(d), np.eye(d), latents
  centre = latents.mean(0)
  off = latents - centre
  values, vectors = np.linalg.eigh(off @ off.T)  # as many as there are latents
  order = np.argsort(values)[::-1][: min(WIDE, len(latents) - 1)]
  kept = order[: max(1, int((values[order] > 1e-12 * values.max()).sum()))]
  length = np.sqrt(np.maximum(values[kept], 1e-300))
  basis = (vectors[:, kept].T @ off) / length[:, None]
  return centre, basis, off @ basis.T


def _gaussian(latents: np.ndarray):
  """Weights, means and covariances of one Gaussian."""
  from sklearn.covariance import ledoit_wolf  # seconds to import

  covariance = ledoit_wolf(latents)[0]
  return np.ones(1), latents.mean(0, keepdims=True), covariance[None]


def _f32(x: Any) -> Array:
  return jnp.asarray(x, jnp.float32)


def _mixture(latents: np.ndarray, components: int, seed: int):
  """EM on standardised latents, with a floor under each variance, mapped back.

  Fewer components where there are less than 20 latents for each of them.
  """
  from sklearn.mixture import GaussianMixture

  k = max(1, min(components, len(latents) // 20))
  mean, scale = latents.mean(0), latents.std(0) + 1e-12
  mixture = GaussianMixture(k, reg_covar=1e-2, random_state=seed)
  mixture.fit((latents - mean) / scale)
  means = mixture.means_ * scale + mean
  return mixture.weights_, means, mixture.covariances_ * np.outer(scale, scale)


def _factor(covariance: np.ndarray) -> np.ndarray:
  """A lower triangular factor; works for singular covariances too."""
  values, vectors = np.linalg.eigh(covariance)
  root = vectors * np.sqrt(np.maximum(values, 0.0))
  upper: Any = np.linalg.qr(root.T, mode="r")
  return upper.T


def _mixture_draw(prior: Prior, key: Array) -> Array:
  pick, noise = jax.random.split(key)
  k = jax.random.categorical(pick, jnp.log(prior.weights))
  z = jax.random.normal(noise, prior.factors.shape[2:])
  return prior.latent(prior.means[k] + prior.factors[k] @ z)


def _interpolate_draw(prior: Prior, key: Array) -> Array:
  pick, weight = jax.random.split(key)
  pair = jax.random.choice(pick, len(prior.bank), (2,), replace=False)
  a, b = prior.bank[pair[0]], prior.bank[pair[1]]
  return slerp(a, b, jax.random.uniform(weight), prior.latent(prior.means[0]))


def _perturb_draw(prior: Prior, key: Array, strength: float = 0.5) -> Array:
  pick, noise = jax.random.split(key)
  z = prior.bank[jax.random.randint(pick, (), 0, len(prior.bank))]
  factor = prior.factors[0]
  step = factor @ jax.random.normal(noise, factor.shape[1:]) @ prior.basis
  mean = prior.latent(
    prior.means[0]
  )  # shrink towards it, so that the covariance is kept
  return mean + (z - mean) * (1 - strength**2) ** 0.5 + strength * step


def _standard_draw(prior: Prior, key: Array) -> Array:
  return jax.random.normal(key, prior.bank.shape[1:])


DRAWS: dict[str, Callable[[Prior, Array], Array]] = {
  "gaussian": _mixture_draw,
  "gmm": _mixture_draw,
  "interpolate": _interpolate_draw,
  "perturb": _perturb_draw,
  "prior": _standard_draw,
}


def draw(prior: Prior, method: Method, keys: Array) -> Array:
  """Latents `(n, d)`, one for each key `(n,)`.

  - `gaussian`, `gmm`: from the fitted distribution;
  - `interpolate`: a random point between two random latents of the bank;
  - `perturb`: a random latent of the bank, moved half a standard deviation in
    a random direction of the covariance and drawn as much to the mean, so that
    first and second moments stay those of the bank;
  - `prior`: a standard normal, which a variational autoencoder's posteriors
    are drawn to.
  """
  return jax.vmap(lambda key: DRAWS[method](prior, key))(keys)


def lerp(a: Array, b: Array, t: Array) -> Array:
  """The straight line from `a` (t = 0) to `b` (t = 1)."""
  return a + t * (b - a)


def slerp(a: Array, b: Array, t: Array, centre: Array | float = 0.0) -> Array:
  """The great circle from `a` to `b` around `centre`, its radius going linearly
  from one's to the other's (Shoemake 1985; arXiv:1609.04468).

  Nearly parallel vectors are joined by a straight line.
  """
  u, v = a - centre, b - centre
  ru, rv = jnp.linalg.norm(u), jnp.linalg.norm(v)
  cosine = jnp.vdot(u, v) / jnp.maximum(ru * rv, 1e-20)
  angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))
  near = jnp.sin(angle) < 1e-4
  sine = jnp.where(near, 1.0, jnp.sin(angle))
  wu, wv = jnp.sin((1 - t) * angle) / sine, jnp.sin(t * angle) / sine
  unit_u, unit_v = u / jnp.maximum(ru, 1e-20), v / jnp.maximum(rv, 1e-20)
  arc = (wu * unit_u + wv * unit_v) * lerp(ru, rv, t)
  return centre + jnp.where(near, lerp(u, v, t), arc)
