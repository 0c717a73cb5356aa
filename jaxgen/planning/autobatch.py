"""Training with batches split to fit into memory.

The decision for each stage of a run is stored in `fit.json`, so that a resumed
run splits its batches the same way and is bitwise reproducible. It is made
again only if the stage, the model or `batch.memory_gib` changes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from jaxgen.config.experiment import Experiment, vars_of
from jaxgen.config.stages import Stage
from jaxgen.errors import RunError, UserError
from jaxgen.formats.atomic import write_json
from jaxgen.parallel.multihost import allgather, is_lead_host, run_on_all
from jaxgen.parallel.preemption import Stop, watching
from jaxgen.parallel.sharding import Devices
from jaxgen.planning import cost
from jaxgen.runs import companions, numbers
from jaxgen.train import loop
from jaxgen.train.companions import say_kept, with_numbers
from jaxgen.train.first_step import OutOfMemory
from jaxgen.train.opening import say
from jaxgen.train.programs import check_stages, stage_programs
from jaxgen.train.stage import StageProgram
from jaxgen.train.teacher import check_teacher
from jaxgen.train.training_latents import with_stored
from jaxgen.train.transfer import InitialWeights
from jaxgen.workdir.claim import claim, record

NAME = "fit.json"
OF_NO_SIZE = {"time_frequency"}  # fields of a model that need no memory
Decision = dict[str, Any]  # accumulate, remat
Decisions = dict[str, Decision]  # by stage, see `_name`


def train_in_memory(
  experiment: Experiment,
  workdir: pathlib.Path,
  *,
  initial: InitialWeights | None = None,
  allow_config_change: bool = False,
  devices: Devices = None,
  stop: Stop | None = None,
) -> bool:
  """Train an experiment in a workdir, or resume from its newest checkpoint.

  A stage that runs out of memory at its first step is restarted with half the
  microbatch.

  Args:
    experiment: the experiment.
    workdir: the run's folder; shared by all processes.
    initial: initial weights at step 0; by default random.
    allow_config_change: resume even if the config or the data changed.
    devices: devices to train on; by default all devices of all processes.
    stop: the request to stop; by default one that is set by signals.

  Returns:
    Whether the run is finished; False if it was stopped after a save.

  Raises:
    UserError: an invalid config, workdir or data set.
    RunError: the loss is not finite, or a checkpoint cannot be written.
    Interrupted: it was stopped with nothing to save.
  """
  with contextlib.ExitStack() as stack:
    stop = stop or stack.enter_context(watching())
    stop.at_once = True
    stack.enter_context(
      claim(workdir, experiment, allow_change=allow_config_change)
    )
    leans_on = companions.adopt(experiment, workdir, devices=devices)
    say_kept(experiment, leans_on)
    while True:
      say("opening the data ...")
      programs = run_on_all(
        lambda: stage_programs(experiment, devices=devices, companions=leans_on)
      )
      if initial is not None:
        run_on_all(functools.partial(check_teacher, programs[0], initial))
      programs = with_numbers(
        fitted(programs, workdir), workdir, initial=initial
      )
      programs = with_stored(programs, workdir)
      names = programs[0].names
      try:
        return loop.train(
          programs,
          workdir,
          stop=stop,
          initial=initial,
          allow_data_change=allow_config_change,
          on_open=functools.partial(record, experiment, names, workdir),
        )
      except OutOfMemory as e:
        shrink_microbatches(programs[e.stage], workdir)


def fitted(
  programs: Sequence[StageProgram], workdir: pathlib.Path
) -> list[StageProgram]:
  """Programs that fit into memory, by the stored decisions or, if `batch.fit`
  is auto, new ones.

  Raises:
    UserError: a stage cannot be made to fit, or `fit.json` is damaged.
  """
  known = _read(workdir / NAME)
  names = [_name(program) for program in programs]
  decisions = {k: known[k] for k in names if k in known}
  auto = programs[0].experiment.batch.fit == "auto"
  if auto and len(decisions) < len(set(names)):
    check_stages(programs)
    for program, name in zip(programs, names, strict=True):
      decisions[name] = decisions.get(name) or _decide(program)
    _write(workdir, decisions)
  if not decisions:
    return list(programs)
  stages = [
    dataclasses.replace(program.stage, **decisions.get(name, {}))
    for program, name in zip(programs, names, strict=True)
  ]
  experiment = dataclasses.replace(programs[0].experiment, stages=tuple(stages))
  return [dataclasses.replace(x, experiment=experiment) for x in programs]


def _name(program: StageProgram) -> str:
  """The key of a decision, from everything that it depends on."""
  stage, experiment = program.stage, program.experiment
  sizes = (stage.resolution, stage.patch_size, program.layout.mesh.size)
  fields = vars_of(experiment.model).items()
  model = {k: v for k, v in fields if v != () and k not in OF_NO_SIZE}
  fades = program.index and stage.fade_images
  before = experiment.stages[program.index - 1].resolution
  faded = (before,) if fades else ()
  leans_on = numbers.digests(program.companions)
  parts = (*sizes, model, experiment.batch.memory_gib, *faded)
  parts += (leans_on,) if leans_on else ()
  digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
  return f"{stage.resolution} pixels, batches of {stage.batch_size}, {digest}"


def _decide(program: StageProgram) -> Decision:
  memory = min(allgather(cost.memory_for_steps(program.experiment)))
  say(f"measuring the memory of stage {program.index + 1} ...")
  need = cost.fit(program, memory)
  if need is None:
    raise UserError(cost.refusal(program, memory))
  say(
    f"stage {program.index + 1} in {cost.gib(memory)}: microbatches of "
    f"{program.stage.batch_size // need.accumulate}, remat={need.remat}"
  )
  return {"accumulate": need.accumulate, "remat": need.remat}


def shrink_microbatches(program: StageProgram, workdir: pathlib.Path) -> None:
  """Store smaller microbatches for a stage that ran out of memory.

  Raises:
    RunError: the microbatches cannot be made smaller.
  """
  stage, number = program.stage, program.index + 1
  least = 2 * stage.accumulate
  more = [x for x in cost.divisions(program) if x >= least]
  if not more:
    raise RunError(
      f"stage {number}: out of memory with microbatches of one image."
      " Choose a smaller model or resolution; see jaxgen plan."
    )
  smaller = {"accumulate": more[0], "remat": stage.remat}
  _write(workdir, _read(workdir / NAME) | {_name(program): smaller})
  say(
    f"stage {number}: out of memory; restarting with microbatches of "
    f"{stage.batch_size // more[0]} images (accumulate={more[0]})."
  )


def _write(workdir: pathlib.Path, decisions: Decisions) -> None:
  if is_lead_host():
    write_json(workdir / NAME, decisions)
  allgather(0)  # barrier: then all processes read the file


def _read(path: pathlib.Path) -> Decisions:
  if not path.is_file():
    return {}
  try:
    decisions = json.loads(path.read_text())
    for decision in decisions.values():
      Stage(batch_size=decision["accumulate"], **decision)
      if decision.keys() != {"accumulate", "remat"}:
        raise ValueError("unexpected keys")
    return decisions
  except (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    UserError,
  ) as e:
    raise UserError(
      f"{path} is damaged ({e}): remove it to fit the stages again."
    ) from e
