"""Held-out metrics on a fixed set of validation tiles, on all devices."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import progress
from jaxgen.batching import padded_batches
from jaxgen.data import pipeline
from jaxgen.data.source import Source
from jaxgen.parallel.precision import measured
from jaxgen.parallel.sharding import Layout
from jaxgen.tasks.task import Task
from jaxgen.typing import Batch, LossInputs, Metrics, Params

SHOWN = 8  # tiles in a preview


class Evaluator:
  """An evaluator of mean metrics on validation tiles, held on the devices.

  Attributes:
    num: number of tiles.
    shown: a few evenly spaced tiles, for previews.
  """

  def __init__(
    self, task: Task, source: Source, layout: Layout, *, num: int, batch: int
  ):
    tiles = pipeline.stack(pipeline.fixed_tiles(source, num))
    if task.hint is not None:
      tiles = task.hint.with_others(tiles)
    size, index = batch // jax.process_count(), jax.process_index()
    local = slice(index * size, (index + 1) * size)
    self.num = len(tiles["image"])
    self._batches = [
      layout.put(jax.tree.map(lambda x: x[local], part))
      for part in padded_batches(tiles, batch)
    ]
    spread = np.linspace(0, self.num - 1, SHOWN).round().astype(int)
    shown = {k: v[spread] for k, v in tiles.items()}
    self.shown: Batch = jax.device_put(shown, layout.replicated)
    self._sums, self._summary = _summing(task), task.summarize

  def __call__(
    self, params: Params, inputs: LossInputs | None = None
  ) -> dict[str, float]:
    """The scores over all tiles; `inputs` are by default those at step 0."""
    inputs = inputs or LossInputs()
    reported = progress.each("evaluating", self._batches, unit="batches")
    sums = [
      jax.block_until_ready(self._sums(params, inputs, *part))
      for part in reported
    ]
    total = jax.tree.map(lambda *x: sum(map(np.asarray, x)), *sums)
    return self._summary({k: v / self.num for k, v in total.items()})


def _summing(task: Task) -> Callable:
  @jax.jit
  def sums(
    params: Params, inputs: LossInputs, batch: Batch, valid: jax.Array
  ) -> Metrics:
    return _weighted_sums(task.evaluate(params, batch, inputs), valid)

  return sums


@measured
def _weighted_sums(scores: Metrics, weights: jax.Array) -> Metrics:
  return {k: jnp.tensordot(weights, v, 1) for k, v in scores.items()}
