"""What a restoration program is given: its arguments, and what it is compiled
for."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from jaxgen.diffusion.sampling import Sampler
from jaxgen.restoration.named_operators import NamedOperator
from jaxgen.sample import predicted_variance
from jaxgen.typing import Array, Params
from jaxgen.windows import window_grid


class Arguments(NamedTuple):
  """The arguments of a restoration program, for the images of one batch.

  Attributes:
    params: parameters of the run.
    keys: one key per image.
    counts: electrons `(b, ...)`, NaN where nothing is seen.
    read_noise: electrons, shaped like `counts`.
    scale: electrons for one unit of the image `(b,)`.
    offset: electrons of an image of zeros `(b,)`.
    grid: noise levels of the sampler.
    cond: conditions `(b,)`.
  """

  params: Params
  keys: Array
  counts: np.ndarray | Array
  read_noise: np.ndarray | Array
  scale: np.ndarray | Array
  offset: np.ndarray | Array
  grid: Array
  cond: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramSpec:
  """The static arguments of a restoration program.

  Attributes:
    sampler: the sampler; None: the answer without sampling.
    side: resolution of the denoiser, and side of its windows.
    shape: (height, width, channels) of the canvas, at least a window.
    factor: pixels of the counts that are summed along each side for one of the
      canvas, whose images are enlarged by it.
    measured: what the counts measure of the canvas.
    corrections: see `restoration.posterior.restore`.
    noise_map: whether the denoiser takes noise maps.
    with_std: whether the variance is predicted where nothing is sampled.
  """

  sampler: Sampler | None
  side: int
  shape: tuple[int, int, int]
  factor: int
  measured: NamedOperator
  corrections: int
  noise_map: bool
  with_std: bool = True

  @property
  def mapped(self) -> bool:
    """Whether a call of the denoiser needs no derivative."""
    return self.noise_map and self.measured.operator.selects

  @property
  def derives(self) -> bool:
    """Whether there are derivatives, forwards, of the denoiser."""
    return not self.mapped or (self.sampler is None and self.with_std)

  @property
  def num_windows(self) -> int:
    """The number of windows of a canvas."""
    height, width, _ = self.shape
    overlap = self.side // 2
    return len(window_grid(height, width, side=self.side, overlap=overlap))


def covering(
  spec: ProgramSpec, counts: tuple[int, ...], *, side: int, factor: int = 1
) -> ProgramSpec:
  """The program for counts `(n, h, w, c)` at a resolution, of windows of `side`
  pixels, each of which stands for `factor` x `factor` of the counts."""
  each = spec.measured.factor
  least = -(-side // each)
  height, width = (max(-(-x // factor), least) * each for x in counts[1:3])
  shape = height, width, spec.shape[2]
  return dataclasses.replace(spec, side=side, shape=shape, factor=factor)


def num_calls(spec: ProgramSpec, steps: int) -> int:
  """Denoiser calls for an image of one window; a correction counts as one."""
  if spec.mapped:
    if spec.sampler:
      return 1 + spec.sampler.nfe(steps)
    derived = predicted_variance.num_calls(spec.shape[2])
    return 2 + derived * spec.with_std
  calls = spec.sampler.nfe(steps) if spec.sampler else 1
  return calls * (1 + spec.corrections)
