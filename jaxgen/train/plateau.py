"""Reduction of the learning rate when held-out metrics reach a plateau.

The rule is optax's; its state is part of `TrainState.control`, a dict of
arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.config.optimizer import OptimizerConfig
from jaxgen.typing import Array

Control = dict[str, Any]


def _rule(config: OptimizerConfig) -> Any:
  """The rule that reduces the rate when a value has not fallen for
  `plateau_patience` evaluations; None: off."""
  if not config.plateau_patience:
    return None
  return optax.contrib.reduce_on_plateau(
    factor=config.plateau_factor,
    patience=config.plateau_patience,
    rtol=0.0,
    atol=config.plateau_tolerance,
  )


def initial_control(config: OptimizerConfig) -> Control:
  """The rule's part of the control state at step 0; empty if it is off."""
  rule = _rule(config)
  if rule is None:
    return {}
  start = rule.init(jnp.zeros((), jnp.float32))
  return {"plateau": start._replace(best_value=jnp.float32(1e30))}  # not inf


def reset(config: OptimizerConfig, control: Control) -> Control:
  """The control state at the start of a stage, without the scores of other
  resolutions."""
  place = lambda new, old: jax.device_put(new, old.sharding)  # noqa: E731
  new = initial_control(config)
  return control | jax.tree.map(place, new, {k: control[k] for k in new})


def factor(control: Control) -> Array | float:
  """The current factor of the learning rate."""
  return control["plateau"].scale if "plateau" in control else 1.0


def updater(config: OptimizerConfig) -> Callable[[Control, float], Control]:
  """A function `(control, score) -> control` to call after an evaluation;
  higher scores are better."""
  rule = _rule(config)
  if rule is None:
    return lambda control, score: control
  update = jax.jit(lambda x, score: rule.update((), x, value=-score)[1])
  return lambda control, score: (
    control | {"plateau": update(control["plateau"], jnp.float32(score))}
  )
