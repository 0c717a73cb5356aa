"""Post-hoc EMA: snapshots of a few EMA profiles, combined into any other.

A training run keeps EMAs of the weights with a few power-function profiles, and
writes about 32 snapshots of them along with its checkpoints. The EMA of any
other sigma_rel is approximated by the combination of snapshots with the closest
profile (Karras et al. 2024, arXiv:2312.02696, section 3).
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats.npz import open_npz, write_npz
from jaxgen.trees import named
from jaxgen.typing import Params
from jaxgen.workdir.ema_profiles import Profile, combine

FOLDER = "posthoc_ema"
MAX_SNAPSHOTS = 32  # per run; each is as large as all its EMA profiles


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction:
  """An EMA of the weights, combined from snapshots.

  Attributes:
    params: the weights.
    step: finished updates at the end of its profile.
    distance: distance from the requested profile, relative to its norm.
  """

  params: Params
  step: int
  distance: float


class PosthocEMA:
  """The snapshots of a run, `posthoc_ema/STEP.npz`."""

  def __init__(self, workdir: pathlib.Path):
    self.folder = workdir / FOLDER

  @property
  def steps(self) -> list[int]:
    """The steps with a snapshot, oldest first."""
    names = [p.stem for p in self.folder.glob("*.npz")]
    return sorted(int(x) for x in names if x.isdecimal())

  def due(self, images: int, total: int) -> bool:
    """Whether a snapshot is due; a run has about `MAX_SNAPSHOTS` of them."""
    every = max(total // MAX_SNAPSHOTS, 1)
    last = _read_header(self._path(self.steps[-1])).images if self.steps else 0
    return images // every > last // every or images >= total

  def write(
    self,
    step: int,
    profiles: Mapping[str, Params],
    *,
    images: int,
    stage: int = 0,
  ) -> None:
    """Write a snapshot of EMAs, by their sigma_rel, atomically."""
    arrays = {
      f"{sigma_rel}/{name}": np.asarray(leaf)
      for sigma_rel, params in profiles.items()
      for name, leaf in named(params).items()
    }
    write_npz(
      self._path(step),
      images=np.array(images),
      sigma_rels=np.array(list(profiles)),
      stage=np.array(stage),
      **arrays,
    )

  def remove_after(self, step: int) -> None:
    """Remove the snapshots after the step from which a run resumes."""
    for later in self.steps:
      if later > step:
        self._path(later).unlink()

  def stage(self, step: int | None = None) -> int:
    """The stage of the last snapshot up to a step."""
    return _read_header(self._path(self._steps_until(step)[-1])).stage

  def reconstruct(
    self, sigma_rel: float, shapes: Params, *, step: int | None = None
  ) -> Reconstruction:
    """The EMA for a sigma_rel, combined from the snapshots up to a step, of
    the stage of the last of them.

    Args:
      sigma_rel: relative width of its profile, 0.001 to 0.28.
      shapes: tree of the parameters' shapes.
      step: upper bound of the snapshots; the profile ends at the last of them.
        None: all snapshots.

    Raises:
      UserError: there are no snapshots up to that step, or one is damaged or
        from another model.
    """
    headers = {s: _read_header(self._path(s)) for s in self._steps_until(step)}
    last = max(headers)
    steps = [s for s, h in headers.items() if h.stage == headers[last].stage]
    target = Profile(sigma_rel=sigma_rel, images=headers[last].images)
    known = [profile for s in steps for profile in headers[s].profiles]
    weights, distance = combine(known, target)
    params = self._weighted_sum(steps, weights, shapes)
    return Reconstruction(params=params, step=last, distance=distance)

  def _weighted_sum(
    self, steps: list[int], weights: np.ndarray, shapes: Params
  ) -> Params:
    """The weighted sum of all EMAs in the snapshots of `steps`, accumulated in
    float64, as float32."""
    total = [np.zeros(x.shape) for x in jax.tree.leaves(shapes)]
    remaining = iter(weights)
    for step in steps:
      for ema in _read_leaves(self._path(step), shapes):
        weight = next(remaining)
        for sum_, leaf in zip(total, ema, strict=True):
          sum_ += weight * leaf
    leaves = [x.astype(np.float32) for x in total]
    if not all(np.isfinite(x).all() for x in leaves):
      raise UserError(self._not_finite(steps, shapes))
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves)

  def _not_finite(self, steps: list[int], shapes: Params) -> str:
    """A message that names the snapshots with non-finite numbers."""

    def finite(step: int) -> bool:
      emas = _read_leaves(self._path(step), shapes)
      return all(np.isfinite(leaf).all() for ema in emas for leaf in ema)

    damaged = ", ".join(f"{s}.npz" for s in steps if not finite(s))
    return (
      f"{self.folder}: {damaged} contains non-finite numbers; remove it to "
      "combine the other snapshots."
    )

  def _path(self, step: int) -> pathlib.Path:
    return self.folder / f"{step}.npz"

  def _steps_until(self, step: int | None) -> list[int]:
    steps = self.steps
    until = [s for s in steps if step is None or s <= step]
    if until:
      return until
    raise UserError(
      f"{self.folder.parent} has no post-hoc EMA up to step {step}; available "
      f"steps: {steps}."
      if steps
      else f"{self.folder.parent} has no post-hoc EMA: train with "
      "--config.optimizer.ema_sigma_rels=0.05,0.1."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Header:
  """The contents of a snapshot without its arrays."""

  images: int
  sigma_rels: tuple[float, ...]
  stage: int

  @property
  def profiles(self) -> list[Profile]:
    """The profiles of the EMAs, in order."""
    return [Profile(sigma_rel=x, images=self.images) for x in self.sigma_rels]


def _read_header(path: pathlib.Path) -> _Header:
  with _open(path) as file:
    header = _Header(
      images=int(file["images"]),
      sigma_rels=tuple(float(x) for x in file["sigma_rels"]),
      stage=int(file["stage"]),
    )
    if header.images < 1 or not all(0 < x < 0.3 for x in header.sigma_rels):
      raise ValueError(f"out of range: {header.images}, {header.sigma_rels}")
  return header


def _read_leaves(path: pathlib.Path, shapes: Params) -> list[list[np.ndarray]]:
  """The leaves of each EMA in a snapshot."""
  expected = [x.shape for x in jax.tree.leaves(shapes)]
  with _open(path) as file:
    emas = [
      [file[f"{sigma_rel}/{name}"] for name in named(shapes)]
      for sigma_rel in file["sigma_rels"]
    ]
    if any([x.shape for x in ema] != expected for ema in emas):
      raise ValueError("it is from another model")
  return emas


@contextlib.contextmanager
def _open(path: pathlib.Path) -> Iterator[Any]:
  """An open snapshot; errors in the block are reported as damage."""
  try:
    with open_npz(path) as file:
      yield file
  except Exception as e:  # numpy and zipfile raise many types
    reason = str(e).strip().splitlines() or [type(e).__name__]
    raise UserError(
      f"{path} cannot be read ({reason[0][:120]}): remove it to combine the "
      "other snapshots."
    ) from e
