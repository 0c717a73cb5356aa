"""The latent cache: latents of training tiles for fitting latent densities,
stored in a run's folder as `latents/STEP.npz`."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jaxtyping import Float

from jaxgen.config.data import DataConfig
from jaxgen.data import pipeline
from jaxgen.data.source import Source
from jaxgen.errors import RunError
from jaxgen.formats.npz import open_npz, write_npz
from jaxgen.images import normalize
from jaxgen.latents.statistics import moments
from jaxgen.parallel.sharding import Layout
from jaxgen.typing import Array, Codec, Params
from jaxgen.workdir import checksums

MAX_BYTES = 256 << 20  # maximum size of the cached latents
STREAM = "bank"  # random stream; a new name would select other tiles


def max_tiles(num: int, shape: tuple[int, ...]) -> int:
  """The number of cached tiles, at most `num`, for latents of a shape."""
  return max(2, min(num, MAX_BYTES // (4 * math.prod(shape))))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LatentCache:
  """An encoder of a fixed random set of training tiles.

  Attributes:
    codec: params -> Codec.
    source: the training tiles.
    data: how tiles are sampled.
    layout: shardings on the mesh that encodes them.
    num: number of tiles.
    batch: tiles per call of the compiled program.
  """

  codec: Callable[[Params], Codec]
  source: Source
  data: DataConfig
  layout: Layout
  num: int
  batch: int

  @functools.cached_property
  def _encode(self) -> Callable[[Params, Array], Array]:
    return jax.jit(
      lambda params, x: self.codec(params).encode(normalize(x)),
      out_shardings=self.layout.replicated,
    )

  def latents(self, params: Params, num: int = 0) -> Float[np.ndarray, "n ..."]:
    """Latents `(n, ...)` of the first `num` tiles, by default all.

    Raises:
      RunError: the latents are not finite.
    """
    num = min(num or self.num, self.num)
    batches = self._batches(-(-num // self.batch))
    parts = [np.asarray(self._encode(params, x)) for x in batches]
    latents = np.concatenate(parts)[:num]
    if not np.isfinite(latents).all():
      raise RunError(
        "the latents of training tiles are not finite: the model has diverged."
        "\nReduce optimizer.learning_rate and resume with "
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


def cache_path(workdir: pathlib.Path, step: int) -> pathlib.Path:
  """The file of the latents of the checkpoint at `step`."""
  return workdir / "latents" / f"{step}.npz"


def _identity(workdir: pathlib.Path, step: int) -> str:
  """The checksums of a checkpoint, which distinguish it from an earlier one of
  the same step."""
  path = checksums.path_of(workdir, step)
  return path.read_text() if path.is_file() else ""


def read_cache(
  workdir: pathlib.Path, step: int, shape: tuple[int, ...]
) -> Float[np.ndarray, "n ..."] | None:
  """The cached latents `(n, *shape)` of a checkpoint; None if they are missing,
  damaged or from another checkpoint."""
  try:
    with open_npz(cache_path(workdir, step)) as file:
      latents, identity = file["latents"], str(file["checkpoint"])
  except Exception:  # numpy raises many types; latents can be recomputed
    return None
  fits = latents.shape[1:] == shape and len(latents) > 1
  good = fits and bool(np.isfinite(latents).all())
  return latents if good and identity == _identity(workdir, step) else None


def write_cache(
  workdir: pathlib.Path, step: int, latents: Float[np.ndarray, "n ..."]
) -> None:
  """Write the latents of a checkpoint and their moments as `.npz`,
  atomically."""
  mean, scale = moments(latents)
  write_npz(
    cache_path(workdir, step),
    latents=latents,
    mean=mean,
    scale=scale,
    checkpoint=_identity(workdir, step),
  )
