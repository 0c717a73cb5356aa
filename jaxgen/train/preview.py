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
from jaxgen.typing import Params

BANK = 1024  # latents that the samples' prior is fitted to


def previewer(
  task: Task,
  heldout: Evaluator,
  bank: LatentCache | None,
  layout: Layout,
  seed: int,
) -> Callable[[Params], np.ndarray]:
  """A function of parameters that shows held-out originals above what the model
  makes of them above new samples, as one uint8 picture `(h, w, c)`.

  The samples' noise is the same each time.
  """
  draw = jax.jit(task.preview, out_shardings=layout.replicated)
  keys = rng.per_sample(rng.stream(seed, "preview"), jnp.arange(SHOWN))

  def picture(params: Params) -> np.ndarray:
    prior = None
    if bank is not None:
      latents = bank.latents(params, BANK)
      prior = density.fit(latents.reshape(len(latents), -1), density.PREVIEW)
    return grid(to_uint8(draw(params, heldout.shown, keys, prior)))

  return picture
