"""Power-function averages of the weights, any length of them afterwards.

While a run trains it keeps a few averages whose memory is a share of the whole
run (traces), and about 32 snapshots of them, written with checkpoints. An
average of any other length is then the combination of snapshots whose profile
over time is nearest to its own (Karras et al. 2024, arXiv:2312.02696, section 3
and appendix C).

The profile of an average at time t is (gamma + 1) tau^gamma / t^(gamma + 1) on
[0, t]; its length is the profile's standard deviation divided by t.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_npz
from jaxgen.trees import named
from jaxgen.typing import Params

MOST = 32  # snapshots of a run: each is as large as the traces


@functools.cache
def exponent(length: float) -> float:
  """gamma of a length: the largest root of gamma^3 + 7 gamma^2 +
  (16 - length^-2) gamma + 12 - length^-2 (their eq. 126)."""
  inverse = length**-2
  return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())


def decay(length: float, batch: Any, images: Any) -> Any:
  """Share of an average that one step keeps: (1 - batch / images)^(gamma + 1),
  with `images` seen after the step (their eq. 127)."""
  return (1 - batch / images) ** (exponent(length) + 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Profile:
  """An average over time: its length, and the images seen at its end."""

  length: float
  images: int


def products(one: list[Profile], other: list[Profile]) -> np.ndarray:
  """The integral of the product of each of `one` with each of `other`, `(n, m)`
  (their eq. 138)."""
  a, b = (np.array([exponent(x.length) for x in y]) for y in (one, other))
  s, t = (np.array([float(x.images) for x in y]) for y in (one, other))
  a, s = a[:, None], s[:, None]
  near, far = np.minimum(s, t), np.maximum(s, t)
  ratio = (near / far) ** np.where(t >= s, b, a)
  return (a + 1) * (b + 1) / (a + b + 1) * ratio / far


def combine(known: list[Profile], wanted: Profile) -> tuple[np.ndarray, float]:
  """Weights of known profiles whose sum is nearest to a wanted one.

  Returns:
    The weights, and the distance to the wanted profile relative to its norm.
  """
  every, right = products(known, known), products(known, [wanted])[:, 0]
  weights = np.linalg.lstsq(every, right, rcond=1e-12)[0]
  norm = products([wanted], [wanted]).item()
  rest = norm - 2 * weights @ right + weights @ every @ weights
  return weights, float(np.sqrt(max(rest, 0.0) / norm))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconstruction:
  """Weights whose profile is `distance` from the wanted one, relative to its
  norm."""

  params: Params
  step: int
  distance: float


class Averages:
  """The snapshots below one workdir, `averages/STEP.npz`."""

  def __init__(self, workdir: pathlib.Path):
    self.folder = workdir / "averages"

  @property
  def steps(self) -> list[int]:
    """Steps with a snapshot, oldest first."""
    found = [p.stem for p in self.folder.glob("*.npz")]
    return sorted(int(x) for x in found if x.isdecimal())

  def due(self, images: int, total: int) -> bool:
    """Whether a snapshot is wanted: of a whole run at most about `MOST`."""
    every = max(total // MOST, 1)
    since = self._last_images() // every
    return images // every > since or images >= total

  def _last_images(self) -> int:
    return self._profiles(self.steps[-1])[0].images if self.steps else 0

  def write(
    self, step: int, images: int, traces: dict[str, Params], stage: int = 0
  ) -> None:
    """Keep the traces of a step, in one atomic step."""
    arrays = {
      f"{length}/{name}": np.asarray(leaf)
      for length, params in traces.items()
      for name, leaf in named(params).items()
    }
    facts = {"images": np.array(images), "lengths": np.array(list(traces))}
    facts["stage"] = np.array(stage)
    write_npz(self.folder / f"{step}.npz", **facts, **arrays)

  def forget_after(self, step: int) -> None:
    """Remove snapshots past a step that a run goes on from."""
    for later in self.steps:
      if later > step:
        (self.folder / f"{later}.npz").unlink()

  def reconstruct(
    self, length: float, shapes: Params, step: int | None = None
  ) -> Reconstruction:
    """The average of a length, out of all snapshots up to a step that are of
    its stage.

    Args:
      length: of the average, 0.001 to 0.28.
      shapes: of the parameters, as a tree.
      step: by which it ends: that of the last snapshot before or at it, by
        default the last one.

    Raises:
      UserError: there are no snapshots, none of that step, or one is damaged
        or of another model.
    """
    stage, steps = self.stage(step), self._until(step)
    steps = [s for s in steps if self._stage(s) == stage]
    profiles = [self._profiles(s) for s in steps]
    wanted = Profile(length=length, images=profiles[-1][0].images)
    weights, rest = combine([x for row in profiles for x in row], wanted)
    total = [np.zeros(x.shape) for x in jax.tree.leaves(shapes)]
    for s, row in zip(steps, profiles, strict=True):
      now, weights = np.split(weights, [len(row)])
      for weight, trace in zip(now, self._traces(s, shapes), strict=True):
        for sum_, leaf in zip(total, trace, strict=True):
          sum_ += weight * leaf
    leaves = [x.astype(np.float32) for x in total]
    if not all(np.isfinite(x).all() for x in leaves):
      raise UserError(self._not_finite(steps, shapes))
    params = jax.tree.unflatten(jax.tree.structure(shapes), leaves)
    return Reconstruction(params=params, step=steps[-1], distance=rest)

  def _not_finite(self, steps: list[int], shapes: Params) -> str:
    """Which of some snapshots are damaged."""
    whole = lambda s: all(  # noqa: E731
      np.isfinite(x).all() for trace in self._traces(s, shapes) for x in trace
    )
    bad = ", ".join(f"{s}.npz" for s in steps if not whole(s))
    return (
      f"{self.folder}: not all numbers of {bad} are finite; remove it, and "
      "averages are made of the other snapshots."
    )

  def stage(self, step: int | None = None) -> int:
    """Of the last snapshot by a step."""
    return self._stage(self._until(step)[-1])

  def _stage(self, step: int) -> int:
    with self._opened(step) as file:
      return int(file["stage"]) if "stage" in file else 0

  def _until(self, step: int | None) -> list[int]:
    steps = [s for s in self.steps if step is None or s <= step]
    if steps:
      return steps
    raise UserError(
      f"{self.folder.parent} has no averages by step {step}; there are "
      f"{self.steps}."
      if self.steps
      else f"{self.folder.parent} keeps no averages: train with "
      "--config.optimizer.ema_sigma_rels=0.05,0.1."
    )

  def _profiles(self, step: int) -> list[Profile]:
    with self._opened(step) as file:
      images = int(file["images"])
      lengths = [float(x) for x in file["lengths"]]
      if images < 1 or not all(0 < x < 0.3 for x in lengths):
        raise ValueError("its numbers make no sense")
    return [Profile(length=x, images=images) for x in lengths]

  def _traces(self, step: int, shapes: Params) -> list[list[np.ndarray]]:
    """The leaves of each trace of a snapshot."""
    wanted = [x.shape for x in jax.tree.leaves(shapes)]
    with self._opened(step) as file:
      found = [
        [file[f"{length}/{name}"] for name in named(shapes)]
        for length in file["lengths"]
      ]
      if any([x.shape for x in trace] != wanted for trace in found):
        raise ValueError("it is of another model")
    return found

  @contextlib.contextmanager
  def _opened(self, step: int) -> Iterator[Any]:
    path = self.folder / f"{step}.npz"
    try:
      with np.load(path, allow_pickle=False) as file:
        yield file
    except Exception as e:  # numpy and zipfile raise many kinds
      reason = str(e).strip().splitlines() or [type(e).__name__]
      raise UserError(
        f"{path} cannot be read ({reason[0][:120]}): remove it, and averages "
        "are made of the other snapshots."
      ) from e
