"""Numbers of a run's space, measured before its first step."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from jaxgen.parallel.multihost import run_on_all
from jaxgen.runs import numbers
from jaxgen.tasks.space import tiles_encoder
from jaxgen.train.opening import say
from jaxgen.train.stage import StageProgram, check_stages
from jaxgen.train.transfer import InitialWeights


def with_numbers(
  programs: Sequence[StageProgram],
  workdir: pathlib.Path,
  *,
  initial: InitialWeights | None = None,
) -> list[StageProgram]:
  """Programs with the numbers of the first one's space, see `Space.numbers`; to
  be called by all processes. Those of a few-step model are of the run that it
  is tuned from, whose states it has to share.

  Raises:
    UserError: the data do not fit, or the file of the numbers is damaged.
  """
  first = programs[0]
  space = first.task.space
  if space is None or not space.numbers:
    return list(programs)
  run_on_all(lambda: check_stages(programs))
  cache = first.encoded_tiles(tiles_encoder(space), space.shape)
  tuned = initial is not None and first.experiment.few_steps
  companions = numbers.obtain(
    workdir,
    first.task,
    first.companions,
    cache,
    known=initial.companions.numbers if initial and tuned else {},
  )
  for name, value in companions.numbers.items():
    if not value.ndim:
      say(f"{name}: {float(value):.4g}.")
  return [dataclasses.replace(x, companions=companions) for x in programs]
