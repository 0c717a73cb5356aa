"""Sampling from an autoencoder, by decoding samples of a latent density."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Unpack, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import progress, rng
from jaxgen.config.fields import PositiveInt, Seed, check_value
from jaxgen.errors import RunError, UserError
from jaxgen.images import to_uint8
from jaxgen.latents import density
from jaxgen.latents.cache import LatentCache, max_tiles, tiles_encoder
from jaxgen.latents.density import LatentDensity, Method
from jaxgen.parallel import profiling
from jaxgen.parallel.memory import program_bytes
from jaxgen.sample import latent_prior
from jaxgen.sample.options import SamplingKeywords
from jaxgen.sample.run import BATCH, LoadedRun
from jaxgen.typing import Array, Params
from jaxgen.workdir.latents import read_cache, write_cache


def training_latents(run: LoadedRun) -> np.ndarray:
  """Latents `(n, ...)` of training tiles, as cached in the workdir; computed
  from the training data, and cached, if they are missing."""
  cached = read_cache(run.workdir, run.step, run.task.latent_shape)
  if cached is not None and run.sigma_rel is None:
    return cached
  latents = _latent_cache(run).latents(run.params)
  if run.sigma_rel is not None:
    return latents
  try:
    write_cache(run.workdir, run.step, latents)
  except RunError:  # a read-only workdir: not cached
    pass
  return latents


def _latent_cache(run: LoadedRun) -> LatentCache:
  requested = run.experiment.train.latent_cache_tiles
  return LatentCache(
    encode=tiles_encoder(run.task.codec),
    source=run.source("train"),
    data=run.experiment.data,
    layout=run.layout,
    num=max_tiles(requested, run.task.latent_shape),
    batch=run.whole_batch(BATCH, BATCH),
  )


def fit_density(run: LoadedRun, method: Method) -> LatentDensity:
  """The density of a sampling method, fitted to the training latents."""
  if method == "prior":
    return density.standard_normal(math.prod(run.task.latent_shape))
  latents = run.cached(training_latents)
  with progress.loop("fitting a density to the latents"):
    return density.fit(latents.reshape(len(latents), -1), method)


def sample(
  run: LoadedRun,
  num: int = 16,
  *,
  seed: int = 0,
  method: Method | Literal["diffusion"] = "gaussian",
  prior: LoadedRun | None = None,
  batch: int = BATCH,
  **options: Unpack[SamplingKeywords],
) -> np.ndarray:
  """Sample new images, uint8 `(num, h, w, c)`.

  Image i depends only on (seed, i), not on `num`, the batch size or the number
  of devices, up to rounding in floating-point sums.

  Args:
    run: a run of an autoencoder.
    num: number of images.
    seed: seed of the whole set.
    method: `gaussian` or `gmm` sample a density fitted to latents of the
      training set, `interpolate` interpolates between pairs of them, `perturb`
      adds noise to single ones; `prior` samples the standard normal prior of a
      variational autoencoder; `diffusion` samples a denoiser of the latents.
    prior: the run of that denoiser.
    batch: images per batch.
    **options: fields of `SamplingOptions`, of that denoiser.
  """
  check_value("num", PositiveInt, num)
  check_value("seed", Seed, seed)
  if method == "diffusion":
    return latent_prior.sample(
      run, prior, num, seed=seed, batch=batch, **options
    )
  _check_method(run, method)
  _refuse(method, {"prior": prior, **options})
  size, fitted = run.whole_batch(batch, num), run.cached(fit_density, method)
  program, parts = run.cached(_program), []
  with progress.loop("sampling", num) as advance:
    for start in range(0, num, size):
      keys = _keys(run, seed, np.arange(start, start + size))
      drawn = profiling.call(program, run.params, fitted, keys, method)
      parts.append(np.asarray(drawn))
      advance(size)
  return np.concatenate(parts)[:num]


def draw_latents(
  run: LoadedRun,
  num: int,
  *,
  seed: int = 0,
  method: Method = "gaussian",
  batch: int = BATCH,
) -> np.ndarray:
  """The latents `(num, ...)` that `sample` decodes."""
  check_value("num", PositiveInt, num)
  check_value("seed", Seed, seed)
  _check_method(run, method)
  size, fitted = run.whole_batch(batch, num), run.cached(fit_density, method)
  draw = run.cached(_latent_program)
  parts = [
    np.asarray(draw(fitted, _keys(run, seed, np.arange(i, i + size)), method))
    for i in range(0, num, size)
  ]
  return np.concatenate(parts)[:num].reshape(num, *run.task.latent_shape)


def _latent_program(run: LoadedRun) -> Any:
  """A jitted function of (density, keys, method)."""
  return jax.jit(
    lambda fitted, keys, method: density.draw(fitted, method, keys),
    static_argnums=2,
    out_shardings=run.layout.replicated,
  )


def sampling_bytes(
  run: LoadedRun, batch: int = BATCH, *, method: Method = "gaussian"
) -> int:
  """Memory in bytes of the program that samples a batch, with parameters."""
  fitted = run.cached(fit_density, method)
  keys = _keys(run, 0, np.arange(run.whole_batch(batch, batch)))
  lowered = run.cached(_program).lower(run.params, fitted, keys, method)
  return program_bytes(lowered.compile())


def _refuse(method: str, options: Mapping[str, Any]) -> None:
  """Raise a UserError if there are options of a denoiser."""
  for name, value in options.items():
    if value is not None:
      raise UserError(f"{name}: expected method='diffusion', got {method!r}.")


def _check_method(run: LoadedRun, method: str) -> None:
  check_value("method", Literal[*get_args(Method), "diffusion"], method)
  if method == "prior" and run.task.controller is None:
    raise UserError(
      "method='prior': expected a run of a variational autoencoder, got "
      f"{run.workdir}; method='gaussian' needs none."
    )


def _keys(run: LoadedRun, seed: int, index: np.ndarray) -> Array:
  """One key per image of a batch."""
  keys = rng.per_sample(rng.stream(seed, "sample"), jnp.asarray(index))
  return jax.device_put(keys, run.layout.batch)


def _program(run: LoadedRun) -> Any:
  """A jitted function of (params, density, keys, method), compiled once per
  method and batch size."""

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
