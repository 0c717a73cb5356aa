"""Held-out metrics and previews of few-step models.

The loss of such a model tells nothing about its samples. What is measured is
the energy distance of samples to held-out tiles, on their states reduced to 8 x
8, and how spread samples by one call are.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.diffusion import sampling, sigmas
from jaxgen.diffusion.samplers import SAMPLERS
from jaxgen.images import normalize
from jaxgen.metrics import energy, spread
from jaxgen.tasks.denoising_scores import (
  HINTS,
  TILES,
  hint_pictures,
  hints_of,
)
from jaxgen.tasks.examples import conditions_of
from jaxgen.tasks.hint import Hint
from jaxgen.tasks.space import Frozen, Space, image_keys
from jaxgen.typing import Array, Batch, DenoiseFn, Metrics

METRIC = "energy_db"
SIDE = 8  # of the states that are compared
REACH = 8.0  # of distribution functions, in standard deviations of the states
CALLS = (1, 2)  # of the samplers that are measured
OWN_SAMPLER = {"ect": "consistency", "mean_flow": "flow_map"}


def rows(space: Space, hint: Hint | None) -> tuple[str, ...]:
  """The labels of the rows of a preview."""
  hints = (HINTS,) * (hint is not None)
  new = (f"new images by {n} call{'s' * (n > 1)}" for n in CALLS)
  return (TILES, *hints, *new)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
  """The held-out metrics of a few-step model.

  Attributes:
    experiment: the config.
    space: what the model works on.
    hint: the images that it is given, if any.
  """

  experiment: Experiment
  space: Space
  hint: Hint | None

  def evaluate(
    self, denoise: DenoiseFn, batch: Batch, *, frozen: Frozen
  ) -> Metrics:
    """What each image adds to the means of `summarize`; the noise of its sample
    depends only on the image."""
    images, config = normalize(batch["image"]), self.experiment.diffusion
    keys = image_keys(images)
    y = self.space.states(batch, keys, frozen)
    told = hints_of(self.hint, batch, frozen)[1]
    cond = conditions_of(config, batch) | told
    found = {"data": y}
    found |= {str(n): self._sample(denoise, cond, keys, n) for n in CALLS}
    metrics: Metrics = {}
    for name, x in found.items():
      metrics[f"distribution_{name}"] = energy.distribution(
        self._reduced(x).reshape(len(x), -1), reach=self._reach
      )
    for name in ("data", "1"):
      metrics[f"mean_{name}"] = found[name]
      metrics[f"power_{name}"] = spread.power(found[name])
    return metrics

  def summarize(self, means: dict[str, Any]) -> dict[str, float]:
    """Means over images as scores.

    Returns:
      `energy_1`, `energy_2`: energy distances of samples by so many calls;
      `energy_db`: the second in decibels, higher is better;
      `std`: standard deviation of samples by one call over that of the data,
      `std_octave_K` by octave of frequency, coarse to fine.
    """
    dimensions = math.prod(self._reduced_shape)
    distances = {
      f"energy_{n}": energy.energy_distance(
        np.asarray(means[f"distribution_{n}"]),
        np.asarray(means["distribution_data"]),
        dimensions=dimensions,
        reach=self._reach,
      )
      for n in CALLS
    }
    last = distances[f"energy_{CALLS[-1]}"]
    decibels = -10 * math.log10(last) if last > 0 else math.nan
    of = lambda x: spread.variance(means[f"mean_{x}"], means[f"power_{x}"])  # noqa: E731
    data, drawn = of("data"), of("1")
    stds = np.sqrt(np.maximum(drawn, 0) / np.maximum(data, 1e-12))
    std = float(np.sqrt(max(drawn.sum(), 0) / max(data.sum(), 1e-12)))
    octaves = {f"std_octave_{i + 1}": float(x) for i, x in enumerate(stds)}
    found = {METRIC: decibels, **distances, "std": std}
    return found | (octaves if len(octaves) > 1 else {})

  def preview(
    self, denoise: DenoiseFn, batch: Batch, keys: Array, *, frozen: Frozen
  ) -> Array:
    """Held-out images, and new ones with equal conditions; see `rows`."""
    images = normalize(batch["image"])
    hints, told = hints_of(self.hint, batch, frozen)
    cond = conditions_of(self.experiment.diffusion, batch) | told
    decode = self.space.codec(frozen, hints).decode
    new = [decode(self._sample(denoise, cond, keys, n)) for n in CALLS]
    found = [images, *new]
    if hints is not None:
      found.insert(1, hint_pictures(hints, images.shape[-1]))
    return jnp.stack(found)

  def _sample(
    self, denoise: DenoiseFn, cond: dict[str, Array], keys: Array, calls: int
  ) -> Array:
    """States by so many calls, each from its own key."""
    config, few = self.experiment.diffusion, self.experiment.consistency
    grid = sigmas.log_uniform(
      calls, sigma_min=few.second_sigma, sigma_max=config.sigma_max
    )
    x = sampling.initial_noise(keys, self.space.shape, sigma=grid[0])
    sampler = SAMPLERS[OWN_SAMPLER[few.method]]
    bound = sampling.bind(denoise, cond)
    return sampling.sample(sampler, bound, x, grid, keys=keys)

  @property
  def _reach(self) -> float:
    return REACH * self.experiment.diffusion.sigma_data

  @functools.cached_property
  def _reduced_shape(self) -> tuple[int, ...]:
    x = jax.ShapeDtypeStruct((1, *self.space.shape), jnp.float32)
    return jax.eval_shape(self._reduced, x).shape[1:]

  def _reduced(self, x: Array) -> Array:
    """Means of squares; of residuals, which have no coarse detail, the part in
    the middle."""
    rows, columns = (min(SIDE, n) for n in x.shape[1:3])
    if self.experiment.diffusion.target == "residual":
      top, left = (x.shape[1] - rows) // 2, (x.shape[2] - columns) // 2
      return x[:, top : top + rows, left : left + columns]
    size = len(x), rows, columns, x.shape[3]
    return jax.image.resize(x, size, "linear", antialias=True)
