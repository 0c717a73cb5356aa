"""The companions of a run: finished runs that it leans on.

A run keeps a copy of each, `companions/NAME` in its folder, with the EMA
weights of one checkpoint: it resumes and samples when the other run has moved
or been trained anew. A copy is the folder of a run itself. `companion.json`
has its digest, and is written last: a copy without it is unfinished.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import shutil
from typing import Any

import jax
import numpy as np

from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.parallel.multihost import allgather, is_lead_host, run_on_all
from jaxgen.parallel.sharding import Devices
from jaxgen.runs import hub
from jaxgen.runs.recorded import Recorded, Weights, read_folder, read_weights
from jaxgen.tasks.companion import BASE, Companion, Companions
from jaxgen.trees import named
from jaxgen.typing import Params
from jaxgen.workdir import checkpoint_index, metrics_csv, run_config
from jaxgen.workdir.checkpoints import Checkpoints
from jaxgen.workdir.latents import read_cache, write_cache
from jaxgen.workdir.sweep_choice import chosen_run

FOLDER, RECORD = "companions", "companion.json"
FIELDS = {"codec": "latent.run", "hint": "hint.run", BASE: "control.base"}
FAMILIES = {  # the task of each, and what it is called
  "codec": ("autoencoder", "autoencoder"),
  "hint": ("autoencoder", "autoencoder"),
  BASE: ("diffusion", "denoiser"),
}


def wanted(experiment: Experiment) -> dict[str, str]:
  """The runs that a config names, by what they are for."""
  known = {
    "codec": experiment.latent.run,
    "hint": experiment.hint.run,
    BASE: experiment.control.base,
  }
  return {name: run for name, run in known.items() if run}


def find(
  experiment: Experiment,
  workdir: pathlib.Path | None = None,
  *,
  devices: Devices = None,
) -> Companions:
  """The companions of a run: the copies in its folder, and where there is none
  the runs that the config names.

  Raises:
    UserError: there is no such run, or it is damaged.
  """
  found = {}
  for name, origin in wanted(experiment).items():
    copy = None if workdir is None else _copy_of(workdir, name)
    if copy is not None and (copy / RECORD).is_file():
      found[name] = _open_copy(copy, devices)
    else:
      found[name] = _open(name, origin, devices)[0]
  return Companions(runs=found)


def open_run(
  workdir: pathlib.Path, checkpoint: str, devices: Devices = None
) -> tuple[Recorded, Weights]:
  """A run with its companions and the weights of a checkpoint.

  Raises:
    UserError: there is no such run or checkpoint, or it is damaged.
  """
  recorded = with_companions(read_folder(workdir, devices), devices)
  return recorded, read_weights(recorded, checkpoint)


def with_companions(recorded: Recorded, devices: Devices) -> Recorded:
  """A run with its companions.

  Raises:
    UserError: one of them is damaged.
  """
  found = find(recorded.experiment, recorded.workdir, devices=devices)
  return dataclasses.replace(recorded, companions=found)


def adopt(
  experiment: Experiment, workdir: pathlib.Path, *, devices: Devices = None
) -> Companions:
  """The companions of a training run, copied into its folder if they are not
  there yet, or are those of a config that never came to a checkpoint; to be
  called by all processes.

  Raises:
    UserError: there is no such run, or it or a copy is damaged.
  """
  for name, origin in wanted(experiment).items():
    copy = _copy_of(workdir, name)
    if not run_on_all(lambda c=copy, o=origin: _is_copied(workdir, c, o)):
      _write_copy(
        copy, *run_on_all(lambda n=name, o=origin: _open(n, o, devices))
      )
  return run_on_all(lambda: find(experiment, workdir, devices=devices))


def _is_copied(workdir: pathlib.Path, copy: pathlib.Path, origin: str) -> bool:
  if not (copy / RECORD).is_file():
    return False
  return has_begun(workdir) or read_record(copy)["origin"] == origin


def has_begun(workdir: pathlib.Path) -> bool:
  """Whether a run has a checkpoint, whose weights rely on its companions."""
  return bool(checkpoint_index.list_checkpoints(workdir))


def _copy_of(workdir: pathlib.Path, name: str) -> pathlib.Path:
  return workdir / FOLDER / name


def _open(
  name: str, origin: str, devices: Devices
) -> tuple[Companion, Recorded, Weights]:
  """A run that a config names."""
  try:
    recorded = read_folder(chosen_run(hub.local(origin)), devices)
    _check_family(name, recorded)
    recorded = with_companions(recorded, devices)
    weights = read_weights(recorded)
  except UserError as e:
    raise UserError(f"{FIELDS[name]}={origin}: {e}") from e
  return _companion(recorded, weights, origin), recorded, weights


def _check_family(name: str, recorded: Recorded) -> None:
  (expected, title), task = FAMILIES[name], recorded.experiment.task
  if task != expected:
    raise UserError(f"expected a finished {title}, got task={task}.")


def _companion(recorded: Recorded, weights: Weights, origin: str) -> Companion:
  params = jax.tree.map(np.asarray, weights.params)
  side = recorded.experiment.stages[weights.stage].resolution
  return Companion(
    task=weights.task,
    experiment=recorded.experiment,
    image_shape=(side, side, recorded.experiment.data.channels),
    params=params,
    step=weights.step,
    digest=digest(recorded.experiment, params),
    origin=origin,
    names=recorded.names,
    leans_on={
      name: (x.digest, x.origin) for name, x in recorded.companions.runs.items()
    },
  )


def digest(experiment: Experiment, params: Params) -> str:
  """A hash of what weights compute: of the section `model`, and of them."""
  found = hashlib.sha256(repr(experiment.model).encode())
  for name, leaf in sorted(named(params).items()):
    found.update(f"{name} {leaf.dtype} {leaf.shape}".encode())
    found.update(np.ascontiguousarray(leaf).tobytes())
  return found.hexdigest()[:32]


def _open_copy(copy: pathlib.Path, devices: Devices) -> Companion:
  record = read_record(copy)
  remedy = (
    f"restore it, or remove the folder to copy it again from {record['origin']}"
  )
  try:
    recorded, weights = open_run(copy, str(record["step"]), devices)
  except UserError as e:
    raise UserError(f"{copy} is damaged ({e}): {remedy}.") from e
  found = _companion(recorded, weights, record["origin"])
  if found.digest != record["digest"]:
    raise UserError(f"{copy} is not the run that was copied: {remedy}.")
  return found


def read_record(copy: pathlib.Path) -> dict[str, Any]:
  """Origin, step and digest of a copy.

  Raises:
    UserError: the file is damaged.
  """
  path = copy / RECORD
  try:
    record = json.loads(path.read_text())
    return {k: record[k] for k in ("origin", "step", "digest")}
  except (OSError, ValueError, KeyError, TypeError) as e:
    raise UserError(
      f"{path} is damaged: restore it, or remove {copy} to copy the run again."
    ) from e


def training_seconds(workdir: pathlib.Path, experiment: Experiment) -> float:
  """The seconds that the companions of a run were trained for, as far as they
  are known."""
  copies = [_copy_of(workdir, name) for name in wanted(experiment)]
  records = [json.loads((x / RECORD).read_text()) for x in copies]
  return sum(x.get("training_seconds", 0.0) for x in records)


def _write_copy(
  copy: pathlib.Path, found: Companion, recorded: Recorded, weights: Weights
) -> None:
  """Copy a run; an unfinished copy is removed first."""
  if is_lead_host():
    shutil.rmtree(copy, ignore_errors=True)
  allgather(0)  # barrier
  checkpoints = Checkpoints(copy, metric=found.task.metric)
  with contextlib.closing(checkpoints):
    metadata = {"stage": weights.stage, "copy": found.digest}
    checkpoints.save(found.step, {"ema": weights.params}, metadata=metadata)
  if is_lead_host():
    run_config.save(copy, recorded.experiment, recorded.names)
    _copy_latents(recorded.workdir, copy, found)
    _copy_companions(recorded, copy)
    cost = metrics_csv.training_time(metrics_csv.read(recorded.workdir))
    about = {"origin": found.origin, "step": found.step, "digest": found.digest}
    about |= {"training_seconds": cost[1]} if cost else {}
    write_json(copy / RECORD, about)
  allgather(0)


def _copy_companions(recorded: Recorded, copy: pathlib.Path) -> None:
  """Copy the companions of a run that is copied, and the numbers of its space,
  so that the copy is whole too."""
  if not recorded.companions.runs:
    return
  folder = recorded.workdir / FOLDER
  if not folder.is_dir():
    raise UserError(f"{folder} is missing: restore it.")
  shutil.copytree(folder, copy / FOLDER)


def _copy_latents(
  origin: pathlib.Path, copy: pathlib.Path, found: Companion
) -> None:
  """Copy the cached latents, from which new ones are drawn without data."""
  latents = read_cache(origin, found.step, found.task.latent_shape)
  if latents is not None:
    write_cache(copy, found.step, latents)
