"""The run that a sweep has chosen, read without JAX from the sweep's folder.

WORKDIR/sweep.json             the sweep; its phases in order
WORKDIR/PHASE/choice.json      the winner of a phase, once it is decided
WORKDIR/PHASE/RUN/             a run
"""

from __future__ import annotations

import pathlib

from jaxgen.errors import UserError
from jaxgen.formats.json_file import read_json

SWEEP, BASE, CHOICE = "sweep.json", "base.json", "choice.json"


def chosen_run(path: pathlib.Path) -> pathlib.Path:
  """The folder of the run that a path stands for.

  Args:
    path: a run's folder, which is returned as it is, whether there is a run or
      not; `SWEEP/PHASE`: the winner of the phase; a sweep's folder: the winner
      of the last phase that is decided.

  Raises:
    UserError: no phase, or not this one, is decided yet; or a file is damaged.
  """
  if (path / SWEEP).is_file():
    decided = [x for x in _phases(path) if (x / CHOICE).is_file()]
    if not decided:
      raise UserError(f"{path} has no winner yet; run the sweep first.")
    return winner(decided[-1])
  if (path / CHOICE).is_file():
    return winner(path)
  if (path.parent / SWEEP).is_file() and path in _phases(path.parent):
    raise UserError(f"{path} has no winner yet; run the sweep first.")
  return path


def winner(phase: pathlib.Path) -> pathlib.Path:
  """The folder of the winner of a phase, given the folder of the phase.

  Raises:
    UserError: the phase is not decided yet, or its choice is damaged.
  """
  name = read_json(phase / CHOICE).get("run")
  if not isinstance(name, str) or not name:
    raise UserError(f"{phase / CHOICE} is damaged: remove it.")
  return phase / name


def _phases(sweep: pathlib.Path) -> list[pathlib.Path]:
  """The folders of a sweep's phases, in order."""
  saved = read_json(sweep / SWEEP)
  try:
    return [sweep / str(phase["name"]) for phase in saved["phases"]]
  except (TypeError, KeyError) as e:
    raise UserError(f"{sweep / SWEEP} is damaged ({e!r}): remove it.") from e
