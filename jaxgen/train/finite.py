"""Checks that updates, scores and states are finite.

An update with a non-finite loss or gradient changes no weights (see
`jaxgen.train.step`), so that it may be noticed a few steps late.
"""

from __future__ import annotations

import math

import jax

from jaxgen.errors import RunError
from jaxgen.train.run import Run
from jaxgen.train.state import TrainState, is_finite
from jaxgen.typing import Metrics

EVERY = 8  # steps between two reads of the number of skipped updates
_REDUCE = "Reduce optimizer.learning_rate"
_RESUME = f"{_REDUCE} and resume with --allow_config_change."

_is_finite = jax.jit(is_finite)


class UpdateCheck:
  """A check of a stage's updates that reads one number every `EVERY` steps.

  It waits for the step before the newest, and so also limits how far the host
  runs ahead of the device.
  """

  def __init__(self, run: Run, state: TrainState):
    self._run = run
    self._skipped = int(state.skipped)
    self._pending: dict[int, Metrics] = {}
    self._enabled = run.experiment.train.on_nan == "stop"

  def add(self, step: int, metrics: Metrics) -> None:
    """Add the metrics of an update; checks the earlier ones if due.

    Raises:
      RunError: an earlier update was not finite.
    """
    if len(self._pending) >= EVERY:
      self.finish()
    self._pending[step] = metrics

  def finish(self) -> None:
    """Check all updates, which waits for the last one.

    Raises:
      RunError: one was not finite.
    """
    pending, self._pending = self._pending, {}
    if not pending:
      return
    skipped = int(pending[max(pending)]["skipped"])  # waits for the step
    if skipped != self._skipped and self._enabled:
      raise self._error(pending)

  def _error(self, pending: dict[int, Metrics]) -> RunError:
    """The error that describes the first update that was skipped."""
    skipped = lambda step: int(pending[step]["skipped"]) - self._skipped  # noqa: E731
    step = next(filter(skipped, pending))
    loss, norm = (float(pending[step][k]) for k in ("loss", "gradient_norm"))
    return RunError(
      f"step {step}: loss {loss}, gradient norm {norm}; {_kept(self._run)}."
      f" {_REDUCE}, or skip such updates with "
      "--config.train.on_nan=skip --allow_config_change."
    )


def check_score(run: Run, step: int, score: float) -> None:
  """Raise a RunError if the main held-out score is not finite."""
  if not math.isfinite(score):
    name = run.checkpoints.metric
    raise RunError(
      f"step {step}: the held-out {name} is {score}; {_kept(run)}. {_RESUME}"
    )


def check_state(run: Run, state: TrainState) -> None:
  """Raise a RunError if a state that is to be saved is not finite."""
  if not bool(_is_finite(state)):
    raise RunError(
      f"step {int(state.step)}: parameters or moments overflowed; "
      f"{_kept(run)}. {_RESUME}"
    )


def _kept(run: Run) -> str:
  """A description of the newest checkpoint, for messages."""
  run.checkpoints.wait()
  steps = run.checkpoints.steps
  if not steps:
    return "there is no checkpoint yet"
  return f"checkpoint {steps[-1]} is the last good one"
