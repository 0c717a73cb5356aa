"""Services that a run reports to beside `metrics.csv` and TensorBoard: Weights
& Biases and MLflow.

A run is the same with and without them: what cannot be sent is said once, and
training goes on. `loggers.json` keeps the identities of the run there, which a
resumed run continues.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from jaxgen.errors import UserError
from jaxgen.formats import extras
from jaxgen.formats.atomic import write_json
from jaxgen.formats.json_file import read_json

RECORD = "loggers.json"
PROJECT = "jaxgen"  # unless the service's own variables say otherwise


class Logger(Protocol):
  """What receives the metrics and pictures of a run.

  Attributes:
    identity: that of the run there.
    place: where to look.
  """

  identity: str
  place: str

  def scalars(self, step: int, values: Mapping[str, float]) -> None:
    """Send the scalars of one step."""

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """Send a uint8 `(h, w, c)` picture."""

  def close(self) -> None:
    """Send what is left."""


class Wandb:
  """Weights & Biases; `WANDB_PROJECT`, `WANDB_MODE=offline` and its other
  variables hold. Without network `wandb sync` sends the run later."""

  def __init__(self, workdir: pathlib.Path, config: dict, identity: str | None):
    self._wandb = extras.load("wandb", extra="wandb")
    self._run = self._wandb.init(
      dir=str(workdir),
      project=os.environ.get("WANDB_PROJECT", PROJECT),
      name=workdir.name,
      id=identity,
      resume="allow",
      config=config,
      settings=self._wandb.Settings(console="off", silent=True),
    )
    self.identity = self._run.id
    offline = self._run.offline
    self.place = self._run.dir if offline else str(self._run.url)

  def scalars(self, step: int, values: Mapping[str, float]) -> None:
    """Send the scalars of one step."""
    self._run.log(dict(values), step=step)

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """Send a uint8 `(h, w, c)` picture."""
    self._run.log({name: self._wandb.Image(picture)}, step=step)

  def close(self) -> None:
    """Send what is left."""
    self._run.finish()


class Mlflow:
  """MLflow, at `MLFLOW_TRACKING_URI`, by default the folder `mlruns` in the
  workdir; the experiment is `MLFLOW_EXPERIMENT_NAME`."""

  def __init__(self, workdir: pathlib.Path, config: dict, identity: str | None):
    mlflow = extras.load("mlflow", extra="mlflow")
    self._metric = extras.load("mlflow.entities", extra="mlflow").Metric
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    folder = (workdir / "mlruns").resolve().as_uri()
    self.place = os.environ.get("MLFLOW_TRACKING_URI", folder)
    self._client = mlflow.MlflowClient(tracking_uri=self.place)
    self.identity = identity or self._new_run(workdir.name)
    self._client.update_run(self.identity, status="RUNNING")
    self._client.log_dict(self.identity, config, "config.json")

  def _new_run(self, name: str) -> str:
    project = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
    found = self._client.get_experiment_by_name(project)
    experiment = (
      found.experiment_id if found else self._client.create_experiment(project)
    )
    return self._client.create_run(experiment, run_name=name).info.run_id

  def scalars(self, step: int, values: Mapping[str, float]) -> None:
    """Send the scalars of one step."""
    now = round(1000 * time.time())
    metrics = [self._metric(k, v, now, step) for k, v in values.items()]
    self._client.log_batch(self.identity, metrics=metrics)

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """Send a uint8 `(h, w, c)` picture."""
    self._client.log_image(self.identity, picture, key=name, step=step)

  def close(self) -> None:
    """Send what is left."""
    self._client.set_terminated(self.identity)


KINDS: dict[str, Callable[..., Logger]] = {"wandb": Wandb, "mlflow": Mlflow}


class Guarded:
  """A logger whose failures do not reach the run.

  Attributes:
    identity: that of the run there; empty if it cannot be opened.
  """

  def __init__(self, name: str, opened: Callable[[], Logger]):
    self._name, self._logger = name, None
    self._try(lambda: setattr(self, "_logger", opened()))
    self.identity = ""
    if self._logger is not None:
      self.identity = self._logger.identity
      print(f"{name}: {self._logger.place}")

  def scalars(self, step: int, values: Mapping[str, float]) -> None:
    """Send the scalars of one step."""
    self._send(lambda logger: logger.scalars(step, values))

  def image(self, step: int, name: str, picture: np.ndarray) -> None:
    """Send a uint8 `(h, w, c)` picture."""
    self._send(lambda logger: logger.image(step, name, picture))

  def close(self) -> None:
    """Send what is left."""
    self._send(lambda logger: logger.close())

  def _send(self, call: Callable[[Logger], None]) -> None:
    logger = self._logger
    if logger is not None:
      self._try(lambda: call(logger))

  def _try(self, call: Callable[[], None]) -> None:
    try:
      call()
    except Exception as e:  # of any kind: a service must not end a run
      self._logger = None
      reason = str(e).strip().splitlines()[:1] or [type(e).__name__]
      print(f"warning: {self._name}: {reason[0]}; nothing more is sent there.")


def open_loggers(
  names: Sequence[str], workdir: pathlib.Path, config: dict[str, Any]
) -> list[Guarded]:
  """The loggers of a run, which continue what it has sent before.

  Args:
    names: `train.loggers`.
    workdir: the run's folder.
    config: its config.
  """
  path = workdir / RECORD
  known = read_json(path) if path.is_file() else {}
  found = {}
  for name in names:
    opened = lambda n=name: KINDS[n](workdir, config, known.get(n))  # noqa: E731
    found[name] = Guarded(name, opened)
  identities = {k: x.identity for k, x in found.items() if x.identity}
  if identities:
    write_json(path, {**known, **identities})
  return list(found.values())


def check_installed(names: Sequence[str]) -> None:
  """Raise a UserError unless the packages of loggers are installed."""
  for name in names:
    if importlib.util.find_spec(name) is None:
      raise UserError(
        f"train.loggers={name}: needs {name}: pip install 'jaxgen[{name}]'."
      )
