"""Preview pictures during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import pictures, rng
from jaxgen.images import to_uint8, visible
from jaxgen.latents import density
from jaxgen.latents.cache import LatentCache
from jaxgen.parallel.sharding import Layout
from jaxgen.tasks.task import Task
from jaxgen.train.evaluator import SHOWN, Evaluator
from jaxgen.typing import Batch, LossInputs, Params

FITTED = 1024  # latents for fitting the density of the samples


class PreviewPicture(Protocol):
  """A picture of a model; `inputs` are by default those at step 0."""

  def __call__(
    self, params: Params, inputs: LossInputs | None = None
  ) -> np.ndarray: ...


def previewer(
  task: Task,
  evaluator: Evaluator,
  cache: LatentCache | None,
  layout: Layout,
  *,
  seed: int,
  channels: Sequence[int] = (),
) -> PreviewPicture:
  """A function from parameters to a uint8 picture `(h, w, 3)` with labeled rows
  of held-out originals, the model's outputs for them, and new samples.

  The noise of the samples is fixed; `channels` as in `images.visible`.
  """
  keys = rng.per_sample(rng.stream(seed, "preview"), jnp.arange(SHOWN))

  def rows(params: Params, inputs: LossInputs, batch: Batch, fitted: Any):
    return task.preview(params, batch, keys, density=fitted, inputs=inputs)

  draw = jax.jit(rows, out_shardings=layout.replicated)

  def picture(params: Params, inputs: LossInputs | None = None) -> np.ndarray:
    fitted = None
    if cache is not None:
      latents = cache.latents(params, FITTED)
      flat = latents.reshape(len(latents), -1)
      fitted = density.fit(flat, density.PREVIEW)
    inputs = inputs or LossInputs()
    drawn = draw(params, inputs, evaluator.shown, fitted)
    images = np.asarray(to_uint8(visible(drawn, channels)))
    labeled = dict(zip(task.preview_rows, images, strict=True))
    most = max(images.shape[2], pictures.MOST)  # not reduced
    return pictures.labeled_rows(labeled, most=most)

  return picture
