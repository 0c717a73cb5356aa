"""The factor of the rate that shrinks where held-out metrics stand still.

It is optax's rule; its state is part of `TrainState.control`, a dict of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.train.optimizer import OptimizerOptions
from jaxgen.typing import Array

Control = dict[str, Any]


def _rule(options: OptimizerOptions) -> Any:
  """It shrinks the rate where a value has not fallen for `plateau_patience`
  evaluations; None: it is off."""
  if not options.plateau_patience:
    return None
  return optax.contrib.reduce_on_plateau(
    factor=options.plateau_factor,
    patience=options.plateau_patience,
    rtol=0.0,
    atol=options.plateau_tolerance,
  )


def begin(options: OptimizerOptions) -> Control:
  """Its part of the control at step 0; nothing where it is off."""
  rule = _rule(options)
  if rule is None:
    return {}
  start = rule.init(jnp.zeros((), jnp.float32))
  return {"plateau": start._replace(best_value=jnp.float32(1e30))}  # not inf


def anew(options: OptimizerOptions, control: Control) -> Control:
  """The control as a stage begins with it: scores of other resolutions do not
  count."""
  place = lambda new, old: jax.device_put(new, old.sharding)  # noqa: E731
  new = begin(options)
  return control | jax.tree.map(place, new, {k: control[k] for k in new})


def factor(control: Control) -> Array | float:
  """By what the rate has shrunk so far."""
  return control["plateau"].scale if "plateau" in control else 1.0


def learner(options: OptimizerOptions) -> Callable[[Control, float], Control]:
  """A function `(control, score) -> control` for after an evaluation; higher
  scores are better."""
  rule = _rule(options)
  if rule is None:
    return lambda control, score: control
  learn = jax.jit(lambda x, score: rule.update((), x, value=-score)[1])
  return lambda control, score: (
    control | {"plateau": learn(control["plateau"], jnp.float32(score))}
  )
