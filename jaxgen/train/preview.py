"""Pictures of a run while it trains."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import priors, rng
from jaxgen.tasks import Task
from jaxgen.tasks.images import to_uint8
from jaxgen.train.bank import Bank
from jaxgen.train.heldout import SHOWN, HeldOut
from jaxgen.train.logging import MetricLog, grid, write_png
from jaxgen.train.sharding import Layout
from jaxgen.train.state import TrainState

METHOD = "gmm"  # of the samples
BANK = 1024  # latents that the samples' prior is fitted to


def previewer(
  task: Task,
  heldout: HeldOut,
  bank: Bank,
  layout: Layout,
  *,
  seed: int,
  workdir: pathlib.Path,
  log: MetricLog | None,
) -> Callable[[TrainState, int], None]:
  """A function `(state, step)` that shows held-out originals above their
  reconstructions above new samples, as `samples/STEP.png` and in TensorBoard.

  The samples' noise is the same at every step. Where `log` is None (all but the
  first process) nothing is written.
  """
  rows = jax.jit(task.preview, out_shardings=layout.replicated)
  key = rng.stream(seed, "preview")

  @functools.partial(jax.jit, out_shardings=layout.replicated)
  def samples(params, prior):
    keys = rng.per_sample(key, jnp.arange(SHOWN))
    latents = priors.draw(prior, METHOD, keys)
    return task.codec(params).decode(latents.reshape(-1, *task.latent_shape))

  def preview(state: TrainState, step: int) -> None:
    latents = bank.latents(state.ema, BANK)
    prior = priors.fit(latents.reshape(len(latents), -1), METHOD)
    pictures = [*rows(state.ema, heldout.shown), samples(state.ema, prior)]
    picture = grid(np.stack([to_uint8(x) for x in pictures]))
    if log is not None:
      write_png(workdir / "samples" / f"{step:08}.png", picture)
      log.image(step, "preview", picture)

  return preview
