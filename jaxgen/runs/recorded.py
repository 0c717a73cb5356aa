"""A finished run's folder without its data: its config, and EMA weights of a
checkpoint."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import NamedTuple

import jax

from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import check_value
from jaxgen.config.optimizer import SigmaRel
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Devices, Layout, make_mesh
from jaxgen.runs import exported
from jaxgen.tasks import families
from jaxgen.tasks.companion import NONE, Companions
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames, Params
from jaxgen.workdir import checkpoint_index, run_config
from jaxgen.workdir.checkpoint_reader import CheckpointReader, choose_step
from jaxgen.workdir.posthoc_ema import PosthocEMA

POSTHOC = "ema-"  # prefix of a post-hoc EMA among the names of checkpoints


class Weights(NamedTuple):
  """EMA weights and their task; see `sample.run.LoadedRun`."""

  task: Task
  params: Params
  step: int
  stage: int
  sigma_rel: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recorded:
  """The contents of a run's folder except for the weights.

  Attributes:
    workdir: the folder.
    experiment: the config.
    names: value names of its conditions.
    layout: the shardings.
    companions: the finished runs that it leans on.
  """

  workdir: pathlib.Path
  experiment: Experiment
  names: ConditionNames
  layout: Layout
  companions: Companions = NONE

  def task(self, stage: int) -> Task:
    """The task of a stage."""
    return families.build(
      self.experiment, self.names, stage=stage, companions=self.companions
    )

  def shapes(self, task: Task) -> Params:
    """The shapes of the parameters that samplers take, replicated."""
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(
        x.shape, x.dtype, sharding=self.layout.replicated
      ),
      task.sampled(jax.eval_shape(task.init, jax.random.key(0))),
    )


def read_folder(workdir: pathlib.Path, devices: Devices = None) -> Recorded:
  """The contents of a run's folder, without its companions.

  Raises:
    UserError: there is no run, or it has no checkpoint.
  """
  experiment = run_config.read_experiment(workdir)
  names = run_config.read_condition_names(workdir)
  trained = (workdir / checkpoint_index.FOLDER).is_dir()
  if not trained and not exported.is_exported(workdir):
    raise UserError(f"{workdir} has no checkpoint yet.")
  layout = Layout(mesh=make_mesh(devices))
  return Recorded(
    workdir=workdir, experiment=experiment, names=names, layout=layout
  )


def read_weights(recorded: Recorded, checkpoint: str = "best") -> Weights:
  """The EMA weights of a checkpoint, named as in `jaxgen.load`.

  Raises:
    UserError: there is no such checkpoint, or it is damaged.
  """
  if exported.is_exported(recorded.workdir):
    return _exported(recorded, checkpoint)
  if checkpoint.startswith(POSTHOC):
    return _posthoc_ema(recorded, checkpoint)
  return _checkpoint_ema(recorded, checkpoint)


def _exported(recorded: Recorded, checkpoint: str) -> Weights:
  """The weights of an exported run."""
  found = exported.read(recorded.workdir)
  exported.check_step(recorded.workdir, found, checkpoint)
  stage = min(found.stage, len(recorded.experiment.stages) - 1)
  task = recorded.task(stage)
  tree = exported.fill(recorded.shapes(task), found, recorded.workdir)
  params = jax.device_put(tree, recorded.layout.replicated)
  return Weights(task, params, found.step, stage)


def _posthoc_ema(recorded: Recorded, checkpoint: str) -> Weights:
  """The weights named by `ema-SIGMA_REL` or `ema-SIGMA_REL@STEP`."""
  name, _, at = checkpoint.removeprefix(POSTHOC).partition("@")
  try:
    sigma_rel, until = float(name), int(at) if at else None
  except ValueError as e:
    raise UserError(
      f"checkpoint={checkpoint!r}: expected ema-SIGMA_REL or "
      "ema-SIGMA_REL@STEP, such as ema-0.1."
    ) from e
  check_value("sigma_rel", SigmaRel, sigma_rel)
  snapshots = PosthocEMA(recorded.workdir)
  stage = snapshots.stage(until)
  task = recorded.task(stage)
  ema = snapshots.reconstruct(sigma_rel, recorded.shapes(task), step=until)
  params = jax.device_put(ema.params, recorded.layout.replicated)
  return Weights(task, params, ema.step, stage, sigma_rel)


def _checkpoint_ema(recorded: Recorded, checkpoint: str) -> Weights:
  """The EMA of the checkpoint named by `best`, `latest` or a step."""
  metric = recorded.task(-1).metric
  reader = CheckpointReader(recorded.workdir, metric=metric)
  try:
    step = choose_step(reader, checkpoint)
    last = len(recorded.experiment.stages) - 1
    stage = min(reader.metadata(step)["stage"], last)
    task = recorded.task(stage)
    params = reader.read(step, {"ema": recorded.shapes(task)})["ema"]
    return Weights(task, params, step, stage)
  except (ValueError, KeyError, OSError) as e:
    reason = str(e).strip().splitlines()[0][:200]
    raise UserError(
      f"{recorded.workdir}: the {checkpoint} checkpoint cannot be read "
      f"({reason}); available: {', '.join(map(str, reader.steps)) or 'none'}."
    ) from e
  finally:
    reader.close()
