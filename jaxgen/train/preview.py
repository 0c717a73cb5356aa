"""Pictures of a run while it trains."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import rng
from jaxgen.images import grid, to_uint8
from jaxgen.latents import density
from jaxgen.latents.cache import LatentCache
from jaxgen.parallel.sharding import Layout
from jaxgen.tasks.task import Task
from jaxgen.train.evaluator import SHOWN, Evaluator
from jaxgen.typing import LossInputs, Params

FITTED = 1024  # latents that the density of the samples is fitted to


def previewer(
  task: Task,
  evaluator: Evaluator,
  cache: LatentCache | None,
  layout: Layout,
  *,
  seed: int,
) -> Callable[[Params], np.ndarray]:
  """A function of parameters that shows held-out originals above what the model
  makes of them above new samples, as one uint8 picture `(h, w, c)`.

  The samples' noise is the same each time.
  """
  keys = rng.per_sample(rng.stream(seed, "preview"), jnp.arange(SHOWN))

  def rows(params: Params, batch, fitted):
    return task.preview(
      params, batch, keys, density=fitted, inputs=LossInputs()
    )

  draw = jax.jit(rows, out_shardings=layout.replicated)

  def picture(params: Params) -> np.ndarray:
    fitted = None
    if cache is not None:
      latents = cache.latents(params, FITTED)
      flat = latents.reshape(len(latents), -1)
      fitted = density.fit(flat, density.PREVIEW)
    return grid(to_uint8(draw(params, evaluator.shown, fitted)))

  return picture
