"""Adaptive weights of domains, the classes of the data, in the loss of a task.

The sums of each domain are metrics, `domain_loss/NAME` and `domain_share/NAME`
(per image of the batch), from which a controller derives the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax.numpy as jnp

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.losses import domains
from jaxgen.tasks.task import ControlState, LossController
from jaxgen.typing import (
  Array,
  Batch,
  ConditionNames,
  LossInputs,
  Metrics,
)

WEIGHTS = "domains"  # in `LossInputs.weights`
LABEL = "label"


def adaptive_domains(
  experiment: Experiment, names: ConditionNames
) -> tuple[str, ...]:
  """The domains whose weights are adaptive; empty: they are constant."""
  if experiment.data.balance != "adaptive":
    return ()
  if len(names.get(LABEL, ())) < 2:
    raise UserError(
      "data.balance=adaptive: expected data with at least two classes, got"
      f" {len(names.get(LABEL, ()))}."
    )
  return tuple(names[LABEL])


def metrics(loss: Array, batch: Batch, names: Sequence[str]) -> Metrics:
  """The sums of each domain, given the loss of each image."""
  if not names:
    return {}
  sums = domains.sums(loss, batch[LABEL], len(names))
  return {
    f"domain_{kind}/{name}": values[i]
    for kind, values in sums.items()
    for i, name in enumerate(names)
  }


def weigh(loss: Array, batch: Batch, inputs: LossInputs) -> Array:
  """The loss of each image with the weight of its domain."""
  if WEIGHTS not in inputs.weights:
    return loss
  return loss * domains.image_weights(inputs.weights[WEIGHTS], batch[LABEL])


def controller(names: Sequence[str]) -> LossController:
  """The controller of the weights of domains."""

  def weights(state: ControlState, images: Array) -> dict[str, Array]:
    return {WEIGHTS: domains.weights(state)}

  def update(
    state: ControlState, metrics: Metrics, *, images: Array, batch: int
  ) -> ControlState:
    new = {
      kind: jnp.stack([metrics[f"domain_{kind}/{name}"] for name in names])
      for kind in state
    }
    return domains.update(state, new, batch=batch)

  def report(state: ControlState, images: Array) -> Metrics:
    values = domains.weights(state)
    return {f"domain_weight/{name}": values[i] for i, name in enumerate(names)}

  return LossController(
    initial_state=functools.partial(domains.initial_state, len(names)),
    weights=weights,
    update=update,
    report=report,
  )
