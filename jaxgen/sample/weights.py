"""The averaged weights of a run: of a checkpoint, or of any length."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import jax

from jaxgen.config.fields import check_value
from jaxgen.config.files import read_config
from jaxgen.errors import UserError
from jaxgen.parallel.sharding import Devices
from jaxgen.train.optimizer import Length
from jaxgen.train.plan import Plan, make_plan
from jaxgen.typing import Params
from jaxgen.workdir.checkpoints import Checkpoints
from jaxgen.workdir.claim import read_names
from jaxgen.workdir.posthoc_ema import Averages

AVERAGE = "ema-"  # what the names of reconstructed averages begin with


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
  """Averaged weights, and where they come from.

  Attributes:
    workdir: of the run.
    config: as it was resolved when the run started.
    step: finished updates of the loaded checkpoint.
    stage: that it is of.
    length: of the power-function average that was loaded; None: the ordinary
      average of a checkpoint.
    plan: the config in typed pieces.
    params: parameters, the same on every device.
  """

  workdir: pathlib.Path
  config: Any
  step: int
  stage: int
  length: float | None
  plan: Plan
  params: Params


def read_weights(
  workdir: pathlib.Path, checkpoint: str | int, devices: Devices = None
) -> Weights:
  """The weights that `checkpoint` names: see `jaxgen.load`.

  Raises:
    UserError: there is no run, no such checkpoint, or it is damaged.
  """
  config = read_config(workdir / "config.json")
  plan = make_plan(config, devices, read_names(workdir))
  if not (workdir / "checkpoints").is_dir():
    raise UserError(f"{workdir} holds no checkpoint yet.")
  length = None
  if str(checkpoint).startswith(AVERAGE):
    step, stage, length, params = _average(plan, workdir, str(checkpoint))
  else:
    step, stage, params = _restore(plan, workdir, checkpoint)
  return Weights(
    workdir=workdir,
    config=config,
    step=step,
    stage=stage,
    length=length,
    plan=plan,
    params=params,
  )


def _average(
  plan: Plan, workdir: pathlib.Path, checkpoint: str
) -> tuple[int, int, float, Params]:
  """Step, stage, length and weights of `ema-LENGTH` or `ema-LENGTH@STEP`."""
  name, _, at = checkpoint.removeprefix(AVERAGE).partition("@")
  try:
    length, step = float(name), int(at) if at else None
  except ValueError as e:
    raise UserError(
      f"checkpoint {checkpoint!r}: ema-LENGTH or ema-LENGTH@STEP is needed, "
      "as in ema-0.1."
    ) from e
  check_value("length", Length, length)
  kept = Averages(workdir)
  stage = kept.stage(step)
  made = kept.reconstruct(length, plan.shapes(stage).params, step)
  params = jax.device_put(made.params, plan.layout.replicated)
  return made.step, stage, length, params


def _restore(
  plan: Plan, workdir: pathlib.Path, checkpoint: str | int
) -> tuple[int, int, Params]:
  """Step, stage and ordinary average of a checkpoint."""
  store = Checkpoints(workdir, metric=plan.task(-1).metric, read_only=True)
  try:
    step = _choose(store, workdir, checkpoint)
    stage = min(store.metadata(step)["stage"], len(plan.stages) - 1)
    shapes = plan.shapes(stage).ema
    shapes = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(
        x.shape, x.dtype, sharding=plan.layout.replicated
      ),
      shapes,
    )
    return step, stage, store.restore_ema(step, shapes)
  except (ValueError, KeyError, OSError) as e:
    reason = str(e).strip().splitlines()[0][:200]
    raise UserError(
      f"{workdir}: the {checkpoint} checkpoint cannot be read ({reason}).\n"
      f"There are {store.steps}; choose with --checkpoint=STEP."
    ) from e
  finally:
    store.close()


def _choose(
  store: Checkpoints, workdir: pathlib.Path, checkpoint: str | int
) -> int:
  steps = store.steps
  if not steps:
    raise UserError(f"{workdir} holds no checkpoint yet.")
  if checkpoint == "latest":
    return steps[-1]
  if checkpoint == "best":
    best = store.best()
    return steps[-1] if best is None else best
  if not str(checkpoint).isdigit() or int(checkpoint) not in steps:
    raise UserError(
      f"{workdir} has no checkpoint {checkpoint!r}; there are {steps}, "
      "and the words best, latest and ema-LENGTH."
    )
  return int(checkpoint)
