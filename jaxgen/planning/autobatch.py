"""How each stage of a run is made to fit into memory, kept in `fit.json`.

What was decided stays decided: a resumed run splits its batches the same way,
and so goes on bit for bit. A stage is decided anew where it, the model or
`batch.memory_gib` has been changed.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import Any

from jaxgen.errors import RunError, UserError
from jaxgen.formats.atomic import write_json
from jaxgen.parallel.multihost import allgather, is_lead_host
from jaxgen.planning import cost
from jaxgen.tasks.task import Stage
from jaxgen.train.plan import Plan

NAME = "fit.json"
Row = dict[str, Any]  # accumulate, remat
Rows = dict[str, Row]  # by what they were decided for


class OutOfMemory(Exception):
  """The first step of the stage `args[0]` did not fit."""


def fitted(plan: Plan, workdir: pathlib.Path) -> Plan:
  """The plan as it fits: as decided before, or now if `batch.fit` is auto.

  Raises:
    UserError: a stage fits in no way, or `fit.json` is damaged.
  """
  known = _read(workdir / NAME)
  names = [_name(plan, stage) for stage in range(len(plan.stages))]
  rows = {k: known[k] for k in names if k in known}
  if plan.batch.fit == "auto" and len(rows) < len(set(names)):
    plan.check()
    for stage, name in enumerate(names):
      rows[name] = rows.get(name) or _decide(plan, stage)
    _write(workdir, rows)
  for stage, name in enumerate(names):
    plan = cost.change(plan, stage, **rows.get(name, {}))
  return plan


def _name(plan: Plan, stage: int) -> str:
  """What a decision is for."""
  row = plan.stages[stage]
  what = (row.resolution, row.patch_size, plan.layout.mesh.size)
  model = {k: v for k, v in plan.config.model.to_dict().items() if v != ()}
  fades = stage and row.fade_images
  faded = (plan.stages[stage - 1].resolution,) if fades else ()
  parts = (*what, model, plan.batch.memory_gib, *faded)
  digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
  return f"{row.resolution} pixels, batches of {row.batch_size}, {digest}"


def _decide(plan: Plan, stage: int) -> Row:
  memory = min(allgather(cost.memory_for_steps(plan)))
  found = cost.fit(plan, stage, memory)
  if found is None:
    raise UserError(cost.refusal(plan, stage, memory))
  if is_lead_host():
    micro = plan.stages[stage].batch_size // found.accumulate
    print(
      f"stage {stage + 1} in {cost.gib(memory)}: microbatches of "
      f"{micro}, remat={found.remat}"
    )
  return {"accumulate": found.accumulate, "remat": found.remat}


def halve(plan: Plan, stage: int, workdir: pathlib.Path) -> None:
  """Note smaller microbatches for a stage that ran out of memory.

  Raises:
    RunError: they are as small as they can be.
  """
  row = plan.stages[stage]
  more = [x for x in cost.divisions(plan, stage) if x >= 2 * row.accumulate]
  if not more:
    raise RunError(
      f"stage {stage + 1}: out of memory, one image at a time.\n"
      "Choose a smaller model or resolution: see jaxgen plan."
    )
  smaller = {"accumulate": more[0], "remat": row.remat}
  _write(workdir, _read(workdir / NAME) | {_name(plan, stage): smaller})
  if is_lead_host():
    print(
      f"stage {stage + 1}: out of memory; starting it again with microbatches "
      f"of {row.batch_size // more[0]} images (accumulate={more[0]})."
    )


def _write(workdir: pathlib.Path, rows: Rows) -> None:
  if is_lead_host():
    write_json(workdir / NAME, rows)
  allgather(0)  # the others read it when it is there


def _read(path: pathlib.Path) -> Rows:
  if not path.is_file():
    return {}
  try:
    rows = json.loads(path.read_text())
    for row in rows.values():
      Stage(resolution=1, images=1, batch_size=1, **row)
      if row.keys() != {"accumulate", "remat"}:
        raise ValueError("it has other keys")
    return rows
  except (ValueError, TypeError, AttributeError, UserError) as e:
    raise UserError(
      f"{path} is damaged ({e}): remove it to decide anew."
    ) from e
