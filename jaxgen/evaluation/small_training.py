"""The training of the small networks that measure others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.train import optimizer
from jaxgen.train.schedule import Schedule
from jaxgen.typing import Array, Params

WARMUP = 16  # steps
Carry = tuple[Params, Any]  # parameters and the state of the optimizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallTraining:
  """AdamW for some steps, at a constant rate after a warm-up.

  Attributes:
    learning_rate: the rate.
    steps: number of steps.
  """

  learning_rate: float
  steps: int

  @property
  def _config(self) -> OptimizerConfig:
    return OptimizerConfig(name="adamw", learning_rate=self.learning_rate)

  def start(self, params: Params) -> Carry:
    """The state before the first step."""
    return params, optimizer.build(self._config).init(params)

  def step(
    self, loss: Callable[[Params], Array], carry: Carry, i: Array
  ) -> Carry:
    """The state after step `i` down the gradient of a loss."""
    params, state = carry
    transform = optimizer.build(self._config)
    updates, state = transform.update(jax.grad(loss)(params), state, params)
    rate = self._schedule.rate(self._config, i + 0.5)
    return jax.tree.map(lambda p, u: p + rate * u, params, updates), state

  @property
  def _schedule(self) -> Schedule:
    return Schedule(begin=0, planned=0, total=self.steps, warmup=WARMUP)
