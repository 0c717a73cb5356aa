"""Pictures of a run while it trains."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen import priors, rng
from jaxgen.tasks import Task
from jaxgen.tasks.images import to_uint8
from jaxgen.train.bank import Bank
from jaxgen.train.heldout import SHOWN, HeldOut
from jaxgen.train.logging import MetricLog, grid, write_png
from jaxgen.train.sharding import Layout
from jaxgen.train.state import TrainState

BANK = 1024  # latents that the samples' prior is fitted to


def previewer(
  task: Task,
  heldout: HeldOut,
  bank: Bank | None,
  layout: Layout,
  *,
  seed: int,
  workdir: pathlib.Path,
  log: MetricLog | None,
  suffix: str = "",
) -> Callable[[TrainState, int], None]:
  """A function `(state, step)` that shows held-out originals above what the
  model makes of them above new samples, as `samples/STEP.png` (`suffix` before
  the point) and in TensorBoard.

  The samples' noise is the same at every step. Where `log` is None (all but the
  first process) nothing is written.
  """
  draw = jax.jit(task.preview, out_shardings=layout.replicated)
  keys = rng.per_sample(rng.stream(seed, "preview"), jnp.arange(SHOWN))

  def preview(state: TrainState, step: int) -> None:
    prior = None
    if bank is not None:
      latents = bank.latents(state.ema, BANK)
      prior = priors.fit(latents.reshape(len(latents), -1), priors.PREVIEW)
    picture = grid(to_uint8(draw(state.ema, heldout.shown, keys, prior)))
    if log is not None:
      write_png(workdir / "samples" / f"{step:08}{suffix}.png", picture)
      log.image(step, "preview", picture)

  return preview
