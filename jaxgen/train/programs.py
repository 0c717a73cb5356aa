"""The programs of the stages of an experiment, and checks of them."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import jax

from jaxgen.config.experiment import Experiment
from jaxgen.config.parse import stage_label
from jaxgen.data import pipeline, sources
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Devices, Layout, make_mesh
from jaxgen.tasks import families
from jaxgen.tasks.companion import NONE, Companions
from jaxgen.train.stage import StageProgram
from jaxgen.typing import ConditionNames

CHECKED = 8  # tiles of each split that are checked before training


def stage_programs(
  experiment: Experiment,
  *,
  devices: Devices = None,
  names: ConditionNames | None = None,
  companions: Companions = NONE,
) -> list[StageProgram]:
  """The programs of an experiment's stages on a mesh.

  Args:
    experiment: the experiment.
    devices: devices of the mesh, by default all.
    names: value names of the conditions, by default those of the data.
    companions: the finished runs that it leans on.
  """
  sources.build.cache_clear()  # files may have changed since they were opened
  layout = Layout(mesh=make_mesh(devices), fsdp=experiment.train.fsdp)
  if names is None:
    names = families.condition_values(experiment)
  return [
    StageProgram(
      experiment=experiment,
      index=i,
      names=names,
      layout=layout,
      companions=companions,
    )
    for i in range(len(experiment.stages))
  ]


def check_stages(programs: Sequence[StageProgram]) -> None:
  """Raise a UserError if, in any stage, batches do not divide over the devices
  or model, loss and data are inconsistent."""
  for program in programs:
    program.layout.check(program.stage.batch_size, program.stage.accumulate)
    try:
      for split in ("train", "validation"):
        program.source(split)
      _ = program.task
    except UserError as e:
      label = stage_label(program.experiment, program.index)
      raise UserError(f"{label}{e}") from e
  first = programs[0]
  for split in ("train", "validation"):
    source = first.source(split)
    tiles = pipeline.fixed_tiles(source, CHECKED)
    first.task.check_data(tiles, source.findings)


def free_programs() -> None:
  """Free the compiled programs of a finished stage: on CPU they take as much
  memory as its steps."""
  gc.collect()
  jax.clear_caches()
