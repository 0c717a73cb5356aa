"""New images by an autoencoder, from latents drawn from a fitted density."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.config.fields import PositiveInt, Seed, check_value
from jaxgen.errors import RunError, UserError
from jaxgen.images import to_uint8
from jaxgen.latents import density
from jaxgen.latents.cache import (
  LatentCache,
  max_tiles,
  read_cache,
  write_cache,
)
from jaxgen.latents.density import LatentDensity, Method
from jaxgen.parallel.memory import program_bytes
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.typing import Array, Params


def training_latents(run: LoadedRun) -> np.ndarray:
  """Latents `(n, ...)` of training tiles, as kept in the workdir; computed from
  the training data, and kept, where the run did not finish."""
  kept = read_cache(run.workdir, run.step, run.task.latent_shape)
  if kept is not None and run.sigma_rel is None:
    return kept
  latents = _latent_cache(run).latents(run.params)
  if run.sigma_rel is not None:
    return latents
  try:
    write_cache(run.workdir, run.step, latents)
  except RunError:  # a read-only workdir: computed again next time
    pass
  return latents


def _latent_cache(run: LoadedRun) -> LatentCache:
  wanted = run.experiment.train.latent_cache_tiles
  return LatentCache(
    codec=run.task.codec,
    source=run.source("train"),
    data=run.experiment.data,
    layout=run.layout,
    num=max_tiles(wanted, run.task.latent_shape),
    batch=run.whole_batch(BATCH, BATCH),
  )


def fit_density(run: LoadedRun, method: Method) -> LatentDensity:
  """The density that a method draws from, fitted to the training latents."""
  if method == "prior":
    return density.standard_normal(math.prod(run.task.latent_shape))
  latents = run.cached(training_latents)
  return density.fit(latents.reshape(len(latents), -1), method)


def sample(
  run: LoadedRun,
  num: int = 16,
  *,
  seed: int = 0,
  method: Method = "gaussian",
  batch: int = BATCH,
) -> np.ndarray:
  """New images, uint8 `(num, h, w, c)`.

  Image i is a function of (seed, i) alone, whatever `num`, the batch size and
  the number of devices, but for the last bit of floating-point sums.

  Args:
    run: of an autoencoder.
    num: of images.
    seed: of the whole set.
    method: `gaussian` or `gmm` draw from a density fitted to latents of the
      training set, `interpolate` goes between pairs of them, `perturb` moves
      single ones; `prior` draws from the standard normal that a variational
      autoencoder is trained towards.
    batch: images a call of the compiled program.
  """
  check_value("num", PositiveInt, num)
  check_value("seed", Seed, seed)
  _check_method(run, method)
  size, fitted = run.whole_batch(batch, num), run.cached(fit_density, method)
  program, parts = run.cached(_program), []
  for start in range(0, num, size):
    keys = _keys(run, seed, np.arange(start, start + size))
    parts.append(np.asarray(program(run.params, fitted, keys, method)))
  return np.concatenate(parts)[:num]


def sampling_bytes(
  run: LoadedRun, batch: int = BATCH, *, method: Method = "gaussian"
) -> int:
  """The memory of the program that samples a batch, parameters included."""
  fitted = run.cached(fit_density, method)
  keys = _keys(run, 0, np.arange(run.whole_batch(batch, batch)))
  lowered = run.cached(_program).lower(run.params, fitted, keys, method)
  return program_bytes(lowered.compile())


def _check_method(run: LoadedRun, method: str) -> None:
  check_value("method", Method, method)
  if method == "prior" and run.task.controller is None:
    raise UserError(
      "method='prior': expected a variational autoencoder; for "
      f"{run.workdir} use 'gaussian', a Gaussian fitted to the latents."
    )


def _keys(run: LoadedRun, seed: int, index: np.ndarray) -> Array:
  """A key for each image of a batch."""
  keys = rng.per_sample(rng.stream(seed, "sample"), jnp.asarray(index))
  return jax.device_put(keys, run.layout.batch)


def _program(run: LoadedRun) -> Any:
  """A jitted function of (params, density, keys, method), compiled once for
  each method and batch size."""

  def program(
    params: Params, fitted: LatentDensity, keys: Array, method: Method
  ) -> Array:
    latents = density.draw(fitted, method, keys)
    shaped = latents.reshape(-1, *run.task.latent_shape)
    return to_uint8(run.task.codec(params).decode(shaped))

  return jax.jit(
    program,
    static_argnums=3,
    in_shardings=(None, None, run.layout.batch),
    out_shardings=run.layout.replicated,
  )
