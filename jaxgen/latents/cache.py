"""The bank: latents of training tiles, which the samplers' priors fit to."""

from __future__ import annotations

import contextlib
import math
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.source import Source
from jaxgen.errors import RunError
from jaxgen.formats.atomic import write_npz
from jaxgen.images import normalize
from jaxgen.latents.statistics import moments
from jaxgen.parallel.sharding import Layout
from jaxgen.typing import Codec, Params

BANK_BYTES = 256 << 20  # of the latents that are kept, at most


def affordable(num: int, shape: tuple[int, ...]) -> int:
  """How many of `num` latents of a shape are kept."""
  return max(2, min(num, BANK_BYTES // (4 * math.prod(shape))))


class LatentCache:
  """Encodes the same `num` random training tiles whenever it is asked."""

  def __init__(
    self,
    codec: Callable[[Params], Codec],
    source: Source,
    options: DataConfig,
    layout: Layout,
    *,
    num: int,
    batch: int,
  ):
    self._layout, self._batch, self._num = layout, batch, num
    self._source, self._options = source, options
    self._encode = jax.jit(
      lambda params, x: codec(params).encode(normalize(x)),
      out_shardings=layout.replicated,
    )

  def latents(self, params: Params, num: int = 0) -> np.ndarray:
    """Latents `(n, ...)` of at most the first `num` tiles, by default all."""
    num = min(num or self._num, self._num)
    share = self._batch // jax.process_count()
    batches = pipeline.batches(
      self._source,
      self._options,
      batch_size=self._batch,
      stream="bank",
      keep=("image",),
      process=jax.process_index(),
      processes=jax.process_count(),
    )
    found = []
    with contextlib.closing(batches):
      for _ in range(-(-num // self._batch)):
        images = self._layout.put(next(batches)["image"][:share])
        found.append(np.asarray(self._encode(params, images)))
    latents = np.concatenate(found)[:num]
    if not np.isfinite(latents).all():
      raise RunError(
        "the latents of training tiles are not finite: the model has diverged."
        "\nLower optimizer.learning_rate and go on with --allow_config_change."
      )
    return latents


def cache_path(workdir: pathlib.Path, step: int) -> pathlib.Path:
  """Where the bank of the checkpoint at `step` is kept."""
  return workdir / "latents" / f"{step}.npz"


def _identity(workdir: pathlib.Path, step: int) -> str:
  """Of a checkpoint: its checksums, for another may have had its number."""
  path = workdir / "checksums" / f"{step}.json"
  return path.read_text() if path.is_file() else ""


def read_cache(
  workdir: pathlib.Path, step: int, shape: tuple[int, ...]
) -> np.ndarray | None:
  """The latents `(n, *shape)` kept for a checkpoint; None where there are none,
  or they are damaged or another checkpoint's."""
  try:
    with np.load(cache_path(workdir, step), allow_pickle=False) as file:
      latents, identity = file["latents"], str(file["checkpoint"])
  except Exception:  # numpy raises many kinds; it can be computed again
    return None
  fits = latents.shape[1:] == shape and len(latents) > 1
  good = fits and bool(np.isfinite(latents).all())
  return latents if good and identity == _identity(workdir, step) else None


def write_cache(workdir: pathlib.Path, step: int, latents: np.ndarray) -> None:
  """Keep the latents of a checkpoint and their moments as `.npz`, in one atomic
  step."""
  mean, scale = moments(latents)
  write_npz(
    cache_path(workdir, step),
    latents=latents,
    mean=mean,
    scale=scale,
    checkpoint=_identity(workdir, step),
  )
