"""Loading of a trained run.

    run = jaxgen.load("runs/demo")
    latents = run.encode(images)          # uint8 (n, h, w, c) in
    images = run.sample(num=16, seed=0)   # uint8 (n, h, w, c) out

Only a checkpoint, the section `model` and the codec are read: no optimizer, no
data.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import NamedTuple

import jax

from jaxgen import progress
from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import check_value
from jaxgen.config.optimizer import SigmaRel
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Devices, Layout, make_mesh
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.tasks import families
from jaxgen.tasks.task import Task
from jaxgen.typing import ConditionNames, Params
from jaxgen.workdir import checkpoint_index, run_config
from jaxgen.workdir.checkpoint_reader import CheckpointReader, choose_step
from jaxgen.workdir.posthoc_ema import PosthocEMA

POSTHOC = "ema-"  # prefix of a post-hoc EMA among the names of checkpoints


class Weights(NamedTuple):
  """EMA weights and their task; see `LoadedRun`."""

  task: Task
  params: Params
  step: int
  stage: int
  sigma_rel: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Recorded:
  """The contents of a run's folder except for the weights."""

  workdir: pathlib.Path
  experiment: Experiment
  names: ConditionNames
  layout: Layout

  def task(self, stage: int) -> Task:
    """The task of a stage."""
    return families.build(self.experiment, self.names, stage=stage)

  def shapes(self, task: Task) -> Params:
    """The shapes of a task's parameters, replicated."""
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(
        x.shape, x.dtype, sharding=self.layout.replicated
      ),
      jax.eval_shape(task.init, jax.random.key(0)),
    )


def load(
  workdir: str | pathlib.Path,
  checkpoint: str | int = "best",
  *,
  devices: Devices = None,
) -> AutoencoderRun | DenoiserRun:
  """Load a run for encoding, decoding and sampling.

  Args:
    workdir: the run's folder.
    checkpoint: `best` by the held-out metric, `latest`, or a step; or
      `ema-0.1`, the post-hoc EMA of that sigma_rel at the last step, or
      `ema-0.1@5000`, the same at the last snapshot up to that step (see
      `jaxgen.workdir.posthoc_ema`).
    devices: devices to run on, by default all.

  Raises:
    UserError: there is no run, no such checkpoint, or it is damaged.
  """
  recorded = _read_folder(pathlib.Path(workdir), devices)
  name = str(checkpoint)
  read = _posthoc_ema if name.startswith(POSTHOC) else _checkpoint_ema
  with progress.loop(f"loading {workdir}"):
    weights = read(recorded, name)
  kind = DenoiserRun if weights.task.denoiser else AutoencoderRun
  return kind(**vars(recorded), **weights._asdict())


def _read_folder(workdir: pathlib.Path, devices: Devices) -> _Recorded:
  experiment = run_config.read_experiment(workdir)
  names = run_config.read_condition_names(workdir)
  if not (workdir / checkpoint_index.FOLDER).is_dir():
    raise UserError(f"{workdir} has no checkpoint yet.")
  layout = Layout(mesh=make_mesh(devices))
  return _Recorded(
    workdir=workdir, experiment=experiment, names=names, layout=layout
  )


def _posthoc_ema(recorded: _Recorded, checkpoint: str) -> Weights:
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


def _checkpoint_ema(recorded: _Recorded, checkpoint: str) -> Weights:
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
