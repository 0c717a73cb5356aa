"""The latents of training tiles in a run's folder: `latents/STEP.npz`."""

from __future__ import annotations

import pathlib

import numpy as np
from jaxtyping import Float

from jaxgen.formats.npz import open_npz, write_npz
from jaxgen.latents.statistics import moments
from jaxgen.workdir import checksums


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
