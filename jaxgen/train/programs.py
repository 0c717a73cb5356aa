"""The compiled programs of a stage, which stages of the same shapes share."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable

import jax
import numpy as np

from jaxgen.train.evaluator import Evaluator
from jaxgen.train.plan import Plan
from jaxgen.train.preview import previewer
from jaxgen.train.schedule import Schedule
from jaxgen.train.state import TrainState
from jaxgen.typing import Batch, Metrics, Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class Programs:
  """What a stage compiles, on first use."""

  shapes: tuple
  update: Callable[[TrainState, Batch, Schedule], tuple[TrainState, Metrics]]
  heldout: Evaluator
  picture: Callable[[Params], np.ndarray]

  @classmethod
  def of(cls, plan: Plan, index: int) -> Programs:
    """Those of a stage."""
    heldout, layout = plan.heldout(index), plan.layout
    return cls(
      shapes=plan.compiled_for(index),
      update=plan.update(index),
      heldout=heldout,
      picture=previewer(
        plan.task(index), heldout, plan.bank(index), layout, plan.config.seed
      ),
    )


def forget_programs() -> None:
  """Free the compiled programs of a stage that is over: on CPU they take as
  much memory as its steps."""
  gc.collect()
  jax.clear_caches()
