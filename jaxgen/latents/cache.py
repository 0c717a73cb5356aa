"""The latent cache: latents of training tiles, which latent densities are
fitted to, kept in a run's folder as `latents/STEP.npz`."""

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
from jaxgen.formats.atomic import write_npz
from jaxgen.images import normalize
from jaxgen.latents.statistics import moments
from jaxgen.parallel.sharding import Layout
from jaxgen.typing import Array, Codec, Params
from jaxgen.workdir import checksums

MAX_BYTES = 256 << 20  # of the latents that are kept
STREAM = "bank"  # of random numbers; another name would draw other tiles


def max_tiles(num: int, shape: tuple[int, ...]) -> int:
  """The number of tiles, at most `num`, whose latents of a shape are kept."""
  return max(2, min(num, MAX_BYTES // (4 * math.prod(shape))))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class LatentCache:
  """An encoder of the same random training tiles at each call.

  Attributes:
    codec: params -> Codec.
    source: the training tiles.
    data: how they are drawn.
    layout: the mesh that encodes them.
    num: tiles.
    batch: tiles a call of the compiled program.
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
    """Latents `(n, ...)` of at most the first `num` tiles, by default all.

    Raises:
      RunError: they are not finite.
    """
    num = min(num or self.num, self.num)
    batches = self._batches(-(-num // self.batch))
    parts = [np.asarray(self._encode(params, x)) for x in batches]
    latents = np.concatenate(parts)[:num]
    if not np.isfinite(latents).all():
      raise RunError(
        "the latents of training tiles are not finite: the model has diverged."
        "\nLower optimizer.learning_rate and resume with --allow_config_change."
      )
    return latents

  def _batches(self, count: int) -> Iterator[Array]:
    """Some batches of images, on the devices."""
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
  """The file that holds the latents of the checkpoint at `step`."""
  return workdir / "latents" / f"{step}.npz"


def _identity(workdir: pathlib.Path, step: int) -> str:
  """The checksums of a checkpoint: another may have had its step."""
  path = checksums.path_of(workdir, step)
  return path.read_text() if path.is_file() else ""


def read_cache(
  workdir: pathlib.Path, step: int, shape: tuple[int, ...]
) -> Float[np.ndarray, "n ..."] | None:
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


def write_cache(
  workdir: pathlib.Path, step: int, latents: Float[np.ndarray, "n ..."]
) -> None:
  """Write the latents of a checkpoint and their moments as `.npz`, in one
  atomic step."""
  mean, scale = moments(latents)
  write_npz(
    cache_path(workdir, step),
    latents=latents,
    mean=mean,
    scale=scale,
    checkpoint=_identity(workdir, step),
  )
