"""The averaged weights of a run: of a checkpoint, or a post-hoc EMA."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import jax

from jaxgen.config.fields import check_value
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Devices
from jaxgen.train.optimizer import SigmaRel
from jaxgen.train.plan import Plan, make_plan
from jaxgen.typing import Params
from jaxgen.workdir import run_config
from jaxgen.workdir.checkpoint_reader import CheckpointReader, choose_step
from jaxgen.workdir.posthoc_ema import PosthocEMA

POSTHOC_EMA = "ema-"  # what the names of post-hoc EMAs begin with


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
  """Averaged weights, and where they come from.

  Attributes:
    workdir: of the run.
    config: as it was resolved when the run started.
    step: finished updates of the loaded checkpoint.
    stage: that it is of.
    sigma_rel: of the post-hoc EMA that was loaded; None: the ordinary EMA of a
      checkpoint.
    plan: the config in typed pieces.
    params: parameters, the same on every device.
  """

  workdir: pathlib.Path
  config: Any
  step: int
  stage: int
  sigma_rel: float | None
  plan: Plan
  params: Params


def read_weights(
  workdir: pathlib.Path, checkpoint: str | int, devices: Devices = None
) -> Weights:
  """The weights that `checkpoint` names: see `jaxgen.load`.

  Raises:
    UserError: there is no run, no such checkpoint, or it is damaged.
  """
  config = run_config.read_config(workdir)
  plan = make_plan(config, devices, run_config.read_condition_names(workdir))
  if not (workdir / "checkpoints").is_dir():
    raise UserError(f"{workdir} holds no checkpoint yet.")
  sigma_rel = None
  if str(checkpoint).startswith(POSTHOC_EMA):
    step, stage, sigma_rel, params = _posthoc(plan, workdir, str(checkpoint))
  else:
    step, stage, params = _restore(plan, workdir, checkpoint)
  return Weights(
    workdir=workdir,
    config=config,
    step=step,
    stage=stage,
    sigma_rel=sigma_rel,
    plan=plan,
    params=params,
  )


def _posthoc(
  plan: Plan, workdir: pathlib.Path, checkpoint: str
) -> tuple[int, int, float, Params]:
  """The step, stage, sigma_rel and weights that `ema-SIGMA_REL` or
  `ema-SIGMA_REL@STEP` names."""
  name, _, at = checkpoint.removeprefix(POSTHOC_EMA).partition("@")
  try:
    sigma_rel, step = float(name), int(at) if at else None
  except ValueError as e:
    raise UserError(
      f"checkpoint: expected ema-SIGMA_REL or ema-SIGMA_REL@STEP, as in "
      f"ema-0.1, got {checkpoint!r}."
    ) from e
  check_value("sigma_rel", SigmaRel, sigma_rel)
  snapshots = PosthocEMA(workdir)
  stage = snapshots.stage(step)
  shapes = plan.shapes(stage).params
  ema = snapshots.reconstruct(sigma_rel, shapes, step=step)
  params = jax.device_put(ema.params, plan.layout.replicated)
  return ema.step, stage, sigma_rel, params


def _restore(
  plan: Plan, workdir: pathlib.Path, checkpoint: str | int
) -> tuple[int, int, Params]:
  """The step, stage and ordinary EMA of a checkpoint."""
  reader = CheckpointReader(workdir, metric=plan.task(-1).metric)
  try:
    step = choose_step(reader, checkpoint)
    stage = min(reader.metadata(step)["stage"], len(plan.stages) - 1)
    shapes = plan.shapes(stage).ema
    shapes = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(
        x.shape, x.dtype, sharding=plan.layout.replicated
      ),
      shapes,
    )
    return step, stage, reader.read(step, {"ema": shapes})["ema"]
  except (ValueError, KeyError, OSError) as e:
    reason = str(e).strip().splitlines()[0][:200]
    raise UserError(
      f"{workdir}: the {checkpoint} checkpoint cannot be read ({reason}).\n"
      f"There are {reader.steps}; choose with --checkpoint=STEP."
    ) from e
  finally:
    reader.close()
