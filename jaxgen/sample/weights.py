"""The EMA weights of a run: of a checkpoint, or a post-hoc EMA."""

from __future__ import annotations

import dataclasses
import pathlib

import jax

from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import check_value
from jaxgen.config.optimizer import SigmaRel
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Devices, Layout, make_mesh
from jaxgen.tasks import families
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames, Params
from jaxgen.workdir import run_config
from jaxgen.workdir.checkpoint_reader import CheckpointReader, choose_step
from jaxgen.workdir.posthoc_ema import PosthocEMA

POSTHOC = "ema-"  # prefix of a post-hoc EMA among the names of checkpoints


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
  """EMA weights, and where they come from.

  Attributes:
    workdir: of the run.
    experiment: as it was when the run started.
    names: the values of its conditions.
    layout: the mesh that the weights are replicated on.
    task: the model family at the stage's resolution.
    step: finished updates of the loaded checkpoint.
    stage: that it is of.
    sigma_rel: width of the post-hoc EMA; None: a checkpoint's own EMA.
    params: parameters, the same on every device.
  """

  workdir: pathlib.Path
  experiment: Experiment
  names: ConditionNames
  layout: Layout
  task: Task
  step: int
  stage: int
  sigma_rel: float | None
  params: Params


def read_weights(
  workdir: pathlib.Path, checkpoint: str | int, devices: Devices = None
) -> Weights:
  """The weights that `checkpoint` names: see `jaxgen.load`.

  Raises:
    UserError: there is no run, no such checkpoint, or it is damaged.
  """
  experiment = run_config.read_experiment(workdir)
  names = run_config.read_condition_names(workdir)
  layout = Layout(mesh=make_mesh(devices))
  if not (workdir / "checkpoints").is_dir():
    raise UserError(f"{workdir} holds no checkpoint yet.")
  reader = _Reader(
    workdir=workdir, experiment=experiment, names=names, layout=layout
  )
  if str(checkpoint).startswith(POSTHOC):
    return reader.posthoc(str(checkpoint))
  return reader.checkpoint(checkpoint)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Reader:
  """What is known of a run before its weights are."""

  workdir: pathlib.Path
  experiment: Experiment
  names: ConditionNames
  layout: Layout

  def _weights(
    self,
    task: Task,
    params: Params,
    *,
    step: int,
    stage: int,
    sigma_rel: float | None = None,
  ) -> Weights:
    return Weights(
      **vars(self),
      task=task,
      params=params,
      step=step,
      stage=stage,
      sigma_rel=sigma_rel,
    )

  def _task(self, stage: int) -> Task:
    return families.build(self.experiment, self.names, stage=stage)

  def _shapes(self, task: Task) -> Params:
    """Shapes of the parameters, replicated."""
    replicated = self.layout.replicated
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=replicated),
      shapes,
    )

  def posthoc(self, checkpoint: str) -> Weights:
    """`ema-SIGMA_REL` or `ema-SIGMA_REL@STEP`."""
    name, _, at = checkpoint.removeprefix(POSTHOC).partition("@")
    try:
      sigma_rel, step = float(name), int(at) if at else None
    except ValueError as e:
      raise UserError(
        f"checkpoint {checkpoint!r}: expected ema-SIGMA_REL or "
        "ema-SIGMA_REL@STEP, as in ema-0.1."
      ) from e
    check_value("sigma_rel", SigmaRel, sigma_rel)
    snapshots = PosthocEMA(self.workdir)
    stage = snapshots.stage(step)
    task = self._task(stage)
    made = snapshots.reconstruct(sigma_rel, self._shapes(task), step=step)
    params = jax.device_put(made.params, self.layout.replicated)
    return self._weights(
      task, params, step=made.step, stage=stage, sigma_rel=sigma_rel
    )

  def checkpoint(self, checkpoint: str | int) -> Weights:
    """The EMA of a checkpoint."""
    metric = self._task(-1).metric
    reader = CheckpointReader(self.workdir, metric=metric)
    try:
      step = choose_step(reader, checkpoint)
      last = len(self.experiment.stages) - 1
      stage = min(reader.metadata(step)["stage"], last)
      task = self._task(stage)
      params = reader.read(step, {"ema": self._shapes(task)})["ema"]
      return self._weights(task, params, step=step, stage=stage)
    except (ValueError, KeyError, OSError) as e:
      reason = str(e).strip().splitlines()[0][:200]
      raise UserError(
        f"{self.workdir}: the {checkpoint} checkpoint cannot be read "
        f"({reason}).\nThere are {reader.steps}; choose with --checkpoint=STEP."
      ) from e
    finally:
      reader.close()
