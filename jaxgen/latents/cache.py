"""The latent cache: latents of training tiles, for fitting latent densities.

Its file in a run's folder is read and written by `jaxgen.workdir.latents`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jaxtyping import Float

from jaxgen import progress
from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.source import Source
from jaxgen.errors import RunError
from jaxgen.images import normalize
from jaxgen.parallel.sharding import Layout
from jaxgen.typing import Array, Codec, Params

EncodeTiles = Callable[[Params, Array], Array]
MAX_BYTES = 256 << 20  # maximum size of the cached latents
STREAM = "bank"  # random stream; a new name would select other tiles


def max_tiles(num: int, shape: tuple[int, ...]) -> int:
  """The number of cached tiles, at most `num`, for latents of a shape."""
  return max(2, min(num, MAX_BYTES // (4 * math.prod(shape))))


def tiles_encoder(codec: Callable[[Params], Codec]) -> EncodeTiles:
  """The encoder of an autoencoder's parameters, for a `LatentCache`."""
  return lambda params, x: codec(params).encode(normalize(x))


class Diverged(RunError):
  """An error: the latents are not finite."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LatentCache:
  """An encoder of a fixed random set of training tiles.

  Attributes:
    encode: (parameters, tiles as the source has them) -> latents.
    source: the training tiles.
    data: how tiles are sampled.
    layout: shardings on the mesh that encodes them.
    num: number of tiles.
    batch: tiles per call of the compiled program.
  """

  encode: EncodeTiles
  source: Source
  data: DataConfig
  layout: Layout
  num: int
  batch: int

  @functools.cached_property
  def _encode(self) -> EncodeTiles:
    return jax.jit(self.encode, out_shardings=self.layout.replicated)

  def latents(self, params: Params, num: int = 0) -> Float[np.ndarray, "n ..."]:
    """Latents `(n, ...)` of the first `num` tiles, by default all.

    Raises:
      Diverged: the latents are not finite.
    """
    num = min(num or self.num, self.num)
    parts = []
    with progress.loop("encoding training tiles", num) as advance:
      for batch in self._batches(-(-num // self.batch)):
        parts.append(np.asarray(self._encode(params, batch)))
        advance(self.batch)
    latents = np.concatenate(parts)[:num]
    if not np.isfinite(latents).all():
      raise Diverged(
        "the latents of training tiles are not finite: the model has diverged."
        " Reduce optimizer.learning_rate and resume with "
        "--allow_config_change."
      )
    return latents

  def _batches(self, count: int) -> Iterator[Array]:
    """The first `count` batches of images, on the devices."""
    local = self.batch // jax.process_count()
    batches = pipeline.batches(
      self.source,
      self.data,
      batch_size=self.batch,
      stream=STREAM,
      keep=("image",),
      process=jax.process_index(),
      processes=jax.process_count(),
    )
    with contextlib.closing(batches):
      for _ in range(count):
        yield self.layout.put(next(batches)["image"][:local])
