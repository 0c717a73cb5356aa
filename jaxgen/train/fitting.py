"""How each stage of a run is made to fit into memory, kept in `fit.json`.

What was decided stays decided: a resumed run splits its batches the same way,
and so goes on bit for bit.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

from jaxgen.errors import RunError, UserError
from jaxgen.files import write_json
from jaxgen.tasks import Stage
from jaxgen.train import planner
from jaxgen.train.plan import Plan
from jaxgen.train.processes import is_first, shared

NAME = "fit.json"
Rows = list[dict[str, Any]]  # of each stage: accumulate, remat


class OutOfMemory(Exception):
  """The first step of the stage `args[0]` did not fit."""


def fitted(plan: Plan, workdir: pathlib.Path) -> Plan:
  """The plan as it fits: as decided before, or now if `train.fit` is auto.

  Raises:
    UserError: a stage fits in no way, or `fit.json` is damaged.
  """
  rows = _read(workdir / NAME, len(plan.stages))
  if rows is None and plan.train.fit == "auto":
    plan.check()
    rows = _decide(plan)
    _write(workdir, rows)
  for stage, row in enumerate(rows or []):
    plan = planner.change(plan, stage, **row)
  return plan


def _decide(plan: Plan) -> Rows:
  given = int(plan.train.memory_gib * 2**30)
  memory = min(shared(given or planner.memory_found()))
  rows = []
  for stage, row in enumerate(plan.stages):
    found = planner.fit(plan, stage, memory)
    if found is None:
      raise UserError(planner.refusal(plan, stage, memory))
    rows.append({"accumulate": found.accumulate, "remat": found.remat})
    if is_first():
      print(
        f"stage {stage + 1} in {memory / 2**30:.2f} GiB: microbatches of "
        f"{row.batch_size // found.accumulate}, remat={found.remat}"
      )
  return rows


def halve(plan: Plan, stage: int, workdir: pathlib.Path) -> None:
  """Note smaller microbatches for a stage that ran out of memory.

  Raises:
    RunError: they are as small as they can be.
  """
  row = plan.stages[stage]
  more = [x for x in planner.divisions(plan, stage) if x >= 2 * row.accumulate]
  if not more:
    raise RunError(
      f"stage {stage + 1}: out of memory, one image at a time.\n"
      "Choose a smaller model or resolution: see jaxgen plan."
    )
  rows = [{"accumulate": s.accumulate, "remat": s.remat} for s in plan.stages]
  rows[stage]["accumulate"] = more[0]
  _write(workdir, rows)
  if is_first():
    print(
      f"stage {stage + 1}: out of memory; starting it again with microbatches "
      f"of {row.batch_size // more[0]} images (accumulate={more[0]})."
    )


def _write(workdir: pathlib.Path, rows: Rows) -> None:
  if is_first():
    write_json(workdir / NAME, rows)
  shared(0)  # the others read it when it is there


def _read(path: pathlib.Path, stages: int) -> Rows | None:
  if not path.is_file():
    return None
  try:
    rows = json.loads(path.read_text())
    for row in rows:
      Stage(resolution=1, images=1, batch_size=1, **row)
      if row.keys() != {"accumulate", "remat"}:
        raise ValueError("it has other keys")
    return rows if len(rows) == stages else None
  except (ValueError, TypeError, AttributeError, UserError) as e:
    raise UserError(
      f"{path} is damaged ({e}): remove it to decide anew."
    ) from e
