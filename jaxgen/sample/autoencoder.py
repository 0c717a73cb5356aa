"""A trained autoencoder: there and back, and new images from its latents."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.batching import map_batches
from jaxgen.config.fields import PositiveInt, Range, check_value
from jaxgen.errors import RunError, UserError
from jaxgen.images import normalize, to_uint8
from jaxgen.latents import density
from jaxgen.latents.cache import read_cache, write_cache
from jaxgen.latents.statistics import moments
from jaxgen.parallel.memory import program_bytes
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.typing import Array, Codec, Params


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Autoencoder(LoadedRun):
  """A run of an autoencoder."""

  def _codec(self, params: Params) -> Codec:
    codec = self.task.codec
    assert codec is not None  # `load` has seen to it
    return codec(params)

  @functools.cached_property
  def _encode(self):
    put = self.plan.layout.put
    run = jax.jit(
      lambda p, x: self._codec(p).encode(normalize(x)),
      out_shardings=self.plan.layout.replicated,
    )
    return lambda x: run(self.params, put(x))

  @functools.cached_property
  def _decode(self):
    put = self.plan.layout.put
    run = jax.jit(
      lambda p, z: self._codec(p).decode(z),
      out_shardings=self.plan.layout.replicated,
    )
    return lambda z: run(self.params, put(z))

  @functools.cached_property
  def _sample(self):
    """(prior, keys) -> images, for each method one program."""

    def run(params: Params, prior: density.Prior, keys: Array, method) -> Array:
      latents = density.draw(prior, method, keys)
      shaped = latents.reshape(-1, *self.task.latent_shape)
      return to_uint8(self._codec(params).decode(shaped))

    replicated, batch = self.plan.layout.replicated, self.plan.layout.batch
    return jax.jit(
      run,
      static_argnums=3,
      in_shardings=(None, None, batch),
      out_shardings=replicated,
    )

  def encode(self, images: np.ndarray, *, batch: int = BATCH) -> np.ndarray:
    """Images uint8 `(n, h, w, c)` to float32 latents `(n, ...)`.

    uint16, and float32 in [-1, 1], are taken too.
    """
    self.check_images(images)
    return map_batches(
      self._encode, images, self.whole_batch(batch, len(images))
    )

  def decode(self, latents: np.ndarray, *, batch: int = BATCH) -> np.ndarray:
    """Latents `(n, ...)` to uint8 images `(n, h, w, c)`."""
    return np.asarray(to_uint8(self.decode_float(latents, batch=batch)))

  def decode_float(
    self, latents: np.ndarray, *, batch: int = BATCH
  ) -> np.ndarray:
    """Latents to float32 images, about [-1, 1] and not clipped."""
    latents = self._check_latents(latents)
    return map_batches(
      self._decode, latents, self.whole_batch(batch, len(latents))
    )

  def reconstruct(
    self, images: np.ndarray, *, batch: int = BATCH
  ) -> np.ndarray:
    """`decode(encode(images))`, uint8 `(n, h, w, c)` in and out."""
    return self.decode(self.encode(images, batch=batch), batch=batch)

  def sample(
    self,
    num: int = 16,
    *,
    seed: int = 0,
    method: density.Method = "gaussian",
    batch: int = BATCH,
  ) -> np.ndarray:
    """New images, uint8 `(num, h, w, c)`.

    Image i is a function of (seed, i) alone, whatever `num`, the batch size and
    the number of devices, but for the last bit of floating-point sums.

    Args:
      num: how many.
      seed: of the whole set.
      method: `gaussian` or `gmm` draw from a distribution fitted to latents of
        the training set, `interpolate` goes between pairs of them, `perturb`
        moves single ones; `prior` draws from the standard normal that a
        variational autoencoder is trained towards.
      batch: images a call of the compiled program.
    """
    check_value("num", PositiveInt, num)
    check_value("method", density.Method, method)
    if method == "prior" and self.task.control is None:
      raise UserError(
        f"{self.workdir}: method 'prior' is for variational autoencoders; "
        "'gaussian' draws from a Gaussian that is fitted to the latents."
      )
    size = self.whole_batch(batch, num)
    key = rng.stream(seed, "sample")
    prior = self._prior(method)
    found = []
    for start in range(0, num, size):
      keys = rng.per_sample(key, jnp.arange(start, start + size))
      keys = jax.device_put(keys, self.plan.layout.batch)
      images = self._sample(self.params, prior, keys, method)
      found.append(np.asarray(images))
    return np.concatenate(found)[:num]

  def sampling_bytes(
    self, batch: int = BATCH, *, method: density.Method = "gaussian"
  ) -> int:
    """Memory of the program that samples a batch, parameters included."""
    key, size = rng.stream(0, "sample"), self.whole_batch(batch, batch)
    keys = rng.per_sample(key, jnp.arange(size))
    program = self._sample.lower(self.params, self._prior(method), keys, method)
    return program_bytes(program.compile())

  def interpolate(
    self, a: np.ndarray, b: np.ndarray, steps: int = 9, *, how: str = "linear"
  ) -> np.ndarray:
    """Images from `a` to `b` (uint8 `(h, w, c)`) through latent space.

    Args:
      a: the first image, reconstructed as image 0.
      b: the last one.
      steps: how many images, both ends included; at least 2.
      how: `linear`, or `spherical` around the mean of the training latents.
    """
    check_value("steps", Annotated[int, Range(2)], steps)
    check_value("how", Literal["linear", "spherical"], how)
    first, last = (self.encode(np.asarray(x)[None])[0] for x in (a, b))
    t = np.linspace(0, 1, steps)
    if how == "linear":
      latents = np.stack([density.lerp(first, last, x) for x in t])
    else:
      centre = self.bank.mean(0)
      latents = np.stack([density.slerp(first, last, x, centre) for x in t])
    return self.decode(latents)

  def analogy(self, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """`a - b + c` in latent space, uint8 `(n, h, w, c)` each and out."""
    first, second, third = map(self.encode, (a, b, c))
    if not len(first) == len(second) == len(third):
      raise UserError("a, b and c need the same number of images.")
    return self.decode(first - second + third)

  @functools.cached_property
  def bank(self) -> np.ndarray:
    """Latents `(n, ...)` of training tiles, as kept in the workdir; computed
    from the training data, and kept, where the run did not end by itself."""
    kept = read_cache(self.workdir, self.step, self.task.latent_shape)
    if kept is not None and self.sigma_rel is None:
      return kept
    bank = self.plan.bank(self.stage)
    assert bank is not None  # this is an autoencoder
    latents = bank.latents(self.params)
    if self.sigma_rel is not None:
      return latents
    try:
      write_cache(self.workdir, self.step, latents)
    except RunError:  # a read-only workdir: computed again next time
      pass
    return latents

  @property
  def moments(self) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation `(d,)` of the training tiles' latents, of
    each number of a vector or channel of a small image."""
    return moments(self.bank)

  @functools.cached_property
  def _priors(self) -> dict[str, density.Prior]:
    return {}

  def _prior(self, method: density.Method) -> density.Prior:
    if method == "prior":
      return density.standard(math.prod(self.task.latent_shape))
    if method not in self._priors:
      flat = self.bank.reshape(len(self.bank), -1)
      self._priors[method] = density.fit(flat, method)
    return self._priors[method]

  def _check_latents(self, latents: Any) -> np.ndarray:
    wanted = f"(n, {', '.join(map(str, self.task.latent_shape))})"
    try:
      found = np.asarray(latents).astype(np.float32, casting="same_kind")
    except (TypeError, ValueError) as e:
      raise UserError(f"latents: numbers of shape {wanted} are needed.") from e
    if found.shape[1:] != self.task.latent_shape or not found.size:
      raise UserError(
        f"latents of shape {found.shape} do not fit this run: "
        f"{wanted} are needed."
      )
    if not np.isfinite(found).all():
      raise UserError("latents must be finite.")
    return found
