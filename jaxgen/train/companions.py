"""Companions of a run, and numbers of its space, before its first step."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from jaxgen.config.experiment import Experiment
from jaxgen.parallel.multihost import run_on_all
from jaxgen.runs import numbers
from jaxgen.runs.companions import FIELDS, FOLDER, wanted
from jaxgen.tasks.companion import BASE, Companions
from jaxgen.tasks.space import tiles_encoder
from jaxgen.train.opening import say
from jaxgen.train.programs import check_stages
from jaxgen.train.stage import StageProgram
from jaxgen.train.transfer import InitialWeights


def say_kept(experiment: Experiment, companions: Companions) -> None:
  """Say which runs of a config are not read, since the run has begun with
  others."""
  for name, origin in wanted(experiment).items():
    kept = companions.runs[name].origin
    if kept != origin:
      say(
        f"{FIELDS[name]}={origin} is not read: the run keeps its copy of"
        f" {kept}, with which it has begun."
      )


def with_numbers(
  programs: Sequence[StageProgram],
  workdir: pathlib.Path,
  *,
  initial: InitialWeights | None = None,
) -> list[StageProgram]:
  """Programs with the numbers of the first one's space, see `Space.numbers`; to
  be called by all processes. Those of a few-step model or a ControlNet are of
  the run that it is tuned from or steers, whose states it has to share.

  Raises:
    UserError: the data do not fit, or the file of the numbers is damaged.
  """
  first = programs[0]
  space = first.task.space
  if space is None or not space.numbers:
    return list(programs)
  run_on_all(lambda: check_stages(programs))
  cache = first.encoded_tiles(tiles_encoder(space), space.shape)
  companions = numbers.obtain(
    workdir,
    first.task,
    first.companions,
    cache,
    known=_known(first, workdir, initial),
  )
  for name, value in companions.numbers.items():
    if not value.ndim:
      say(f"{name}: {float(value):.4g}.")
  return [dataclasses.replace(x, companions=companions) for x in programs]


def _known(
  program: StageProgram, workdir: pathlib.Path, initial: InitialWeights | None
) -> numbers.Numbers:
  """The numbers that are not this run's to measure; empty if they are."""
  if BASE in program.companions.runs:
    return numbers.read_measured(workdir / FOLDER / BASE, program.task.space)
  if initial is not None and program.experiment.few_steps:
    return initial.companions.numbers
  return {}
