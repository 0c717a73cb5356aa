"""The public API: `jaxgen.load`, `jaxgen.train` and `jaxgen.show`."""

from __future__ import annotations

import contextlib
import pathlib
from typing import Any

import jax
import numpy as np
from PIL import Image

from jaxgen.config.experiment import Experiment
from jaxgen.config.fields import PositiveInt, check_value
from jaxgen.config.parse import parse
from jaxgen.errors import Interrupted, UserError
from jaxgen.formats import addresses
from jaxgen.images import image_grid
from jaxgen.parallel.allocator import keep_freed_memory
from jaxgen.parallel.preemption import Stop, watching
from jaxgen.parallel.sharding import Devices
from jaxgen.planning import autobatch
from jaxgen.runs import exported, hub
from jaxgen.sample.load import load
from jaxgen.stores import training
from jaxgen.train.transfer import InitialWeights
from jaxgen.workdir import checkpoint_index
from jaxgen.workdir.sweep_choice import chosen_run


def train(
  config: Any,
  workdir: str | pathlib.Path,
  *,
  allow_config_change: bool = False,
  devices: Devices = None,
) -> bool:
  """Train a config in a workdir, or resume from its newest checkpoint.

      jaxgen.train(jaxgen.config("textures_patch_ae:smoke"), "runs/smoke")

  Args:
    config: a ConfigDict, or an `Experiment`.
    workdir: the run's folder, shared by all processes; or, for one process,
      the address of an object store, such as `gs://BUCKET/NAME`.
    allow_config_change: resume even if the config or the data changed.
    devices: devices to train on; by default all devices of all processes.

  Returns:
    Whether the run is finished; False if a signal stopped it.

  Raises:
    UserError: an invalid config, workdir or data set.
    RunError: the loss is not finite, or a checkpoint cannot be written.
  """
  try:
    with watching() as stop:
      return train_until(
        stop,
        config,
        workdir,
        allow_config_change=allow_config_change,
        devices=devices,
      )
  except Interrupted as e:
    print(e)
    return False


def train_until(
  stop: Stop,
  config: Any,
  workdir: str | pathlib.Path,
  *,
  allow_config_change: bool = False,
  devices: Devices = None,
) -> bool:
  """Train as `train` does, until a request to stop, which the caller makes.

  Raises:
    Interrupted: also; the run was stopped with nothing to save.
  """
  stop.at_once = True
  keep_freed_memory()  # before anything starts the backend
  experiment = config if isinstance(config, Experiment) else parse(config)
  if addresses.store_of(workdir):
    _check_single(workdir)
    mirrored = training.mirrored(workdir, stop)
  else:
    mirrored = contextlib.nullcontext(pathlib.Path(workdir))
  with mirrored as folder:
    return _train_in_folder(
      stop,
      experiment,
      folder,
      allow_config_change=allow_config_change,
      devices=devices,
    )


def _check_single(address: str | pathlib.Path) -> None:
  """Raise a UserError if there are several processes: each would need the
  store's files in a folder that all of them see."""
  if jax.distributed.is_initialized() and jax.process_count() > 1:
    raise UserError(
      f"workdir={addresses.canonical(address)}: several processes cannot train"
      " in a store; use a folder that all of them see."
    )


def _train_in_folder(
  stop: Stop,
  experiment: Experiment,
  workdir: pathlib.Path,
  *,
  allow_config_change: bool,
  devices: Devices,
) -> bool:
  if exported.is_exported(workdir):
    raise UserError(
      f"workdir={workdir}: an exported run, which has no state of the training;"
      f" use a new workdir, and train.init_from={workdir} to start from it."
    )
  return autobatch.train_in_memory(
    experiment,
    workdir,
    initial=initial_weights(experiment, workdir),
    allow_config_change=allow_config_change,
    devices=devices,
    stop=stop,
  )


def initial_weights(
  experiment: Experiment, workdir: pathlib.Path
) -> InitialWeights | None:
  """The weights named by `train.init_from`, of a run or of a sweep's winner;
  None if it is not set or `workdir` has a checkpoint to resume from."""
  other = experiment.train.init_from
  if not other or checkpoint_index.list_checkpoints(workdir):
    return None
  folder = chosen_run(hub.local(other))
  run = load(folder)
  return InitialWeights(
    model=run.task.model,
    params=run.params,
    origin=f"the weights of {folder} at step {run.step}",
    experiment=run.experiment,
    names=run.names,
    companions=run.companions,
  )


def show(images: np.ndarray, *, columns: int | None = None) -> Image.Image:
  """A grid of images, for display in a notebook.

  Args:
    images: uint8 `(n, h, w, c)`, or one `(h, w, c)`; the first three channels
      are shown as RGB, of one or two the first as gray.
    columns: columns of the grid; by default it is about square.

  Returns:
    A Pillow image.

  Raises:
    UserError: an array of another type or shape, or less than one column.
  """
  images = np.asarray(images)
  images = images[None] if images.ndim == 3 else images
  fits = images.ndim == 4 and images.size
  if images.dtype != np.uint8 or not fits:
    raise UserError(
      f"images: expected uint8 (n, h, w, c), got {images.dtype} {images.shape}."
    )
  if columns is not None:
    check_value("columns", PositiveInt, columns)
  return Image.fromarray(image_grid(images, columns))
