"""What a sampling program is called with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.diffusion.sampling import Sampler
from jaxgen.typing import Array, DenoiseFn, Params

Denoiser = Callable[[Params], DenoiseFn]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Inputs:
  """Input images of a sampling program, each `(n, ...)` or None.

  Attributes:
    image: float images to which the initial noise is added.
    noise: initial noise to use instead.
    known: float images that are known where `mask` is True.
    mask: booleans `(n, h, w, 1)`.
    hint: hints of the images, float.
  """

  image: np.ndarray | Array | None = None
  noise: np.ndarray | Array | None = None
  known: np.ndarray | Array | None = None
  mask: np.ndarray | Array | None = None
  hint: np.ndarray | Array | None = None


class Arguments(NamedTuple):
  """The arguments of a sampling program, for the images of one batch.

  Attributes:
    params: parameters of the run.
    frozen: those that its task does not train.
    weak_params: parameters of the weak run, if any.
    keys: one key per image.
    inputs: input images.
    grid: noise levels.
    terms: conditions `(b,)` of each guidance term.
    weights: weights of the terms.
    interval: interval of sigma in which the weights apply.
    hint_noise: standard deviation of noise on the hints.
    control_scale: factor of what a ControlNet adds; None: the run has none.
  """

  params: Params
  frozen: dict[str, Params]
  weak_params: Params
  keys: Array
  inputs: Inputs
  grid: Array
  terms: tuple[dict[str, np.ndarray], ...]
  weights: tuple[float, ...]
  interval: tuple[float, float]
  hint_noise: float = 0.0
  control_scale: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProgramSpec:
  """The static arguments of a sampling program.

  Attributes:
    sampler: the sampler with its options.
    plain: whether the denoiser is called once, with a single term.
    weak: denoiser of the weak run, if any.
    state_shape: (height, width, channels) of what the sampler walks.
    window: side of the windows of a larger canvas; 0: none.
    corrections: corrections towards known images, see
      `restoration.posterior.inpaint`.
    trajectory: whether to return the denoised images of each step.
  """

  sampler: Sampler
  plain: bool
  weak: Denoiser | None
  state_shape: tuple[int, ...]
  window: int
  corrections: int
  trajectory: bool
