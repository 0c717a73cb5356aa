"""Weights & Biases and MLflow, without network."""

import importlib.util
import json

import numpy as np
import pytest
from support.programs import SMALL

import jaxgen
from jaxgen.errors import UserError
from jaxgen.workdir import loggers

PICTURE = np.zeros((8, 8, 3), np.uint8)
NEEDED = [
  pytest.param(
    name,
    marks=pytest.mark.skipif(
      importlib.util.find_spec(name) is None, reason=f"needs {name}"
    ),
  )
  for name in ("wandb", "mlflow")
]


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv("WANDB_MODE", "offline")
  monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def contents(workdir, name, identity):
  """All that a service has stored of a run, as bytes by path."""
  paths = sorted(x for x in (workdir / name).rglob("*") if x.is_file())
  found = {str(x): x.read_bytes() for x in paths if identity in str(x)}
  assert found
  return found


def history(workdir, identity):
  """The steps and values of a metric of MLflow."""
  (path,) = workdir.glob(f"mlruns/*/{identity}/metrics/validation/psnr")
  rows = [line.split() for line in path.read_text().splitlines()]
  return {int(step): float(value) for _, value, step, *_ in rows}


@pytest.mark.parametrize("name", NEEDED)
def test_a_resumed_run_is_the_same_run_there(name, tmp_path, capsys):
  identities = set()
  for step in (2, 4):
    (opened,) = loggers.open_loggers([name], tmp_path, {"seed": 3})
    opened.scalars(step, {"validation/psnr": 20.0 + step})
    opened.image(step, "samples", PICTURE)
    opened.close()
    identities.add(opened.identity)
  (identity,) = identities
  assert "warning" not in capsys.readouterr().out
  record = json.loads((tmp_path / "loggers.json").read_text())
  assert record == {name: identity}
  folder = {"wandb": "wandb", "mlflow": "mlruns"}[name]
  stored = contents(tmp_path, folder, identity)
  assert any("samples" in x and x.endswith(".png") for x in stored)
  if name == "mlflow":
    assert history(tmp_path, identity) == {2: 22.0, 4: 24.0}
  else:
    sent = b"".join(v for k, v in stored.items() if k.endswith(".wandb"))
    assert b"validation/psnr" in sent and b"24" in sent


@pytest.mark.parametrize("name", NEEDED[:1])
def test_a_run_reports_its_metrics_and_previews(name, tmp_path):
  changes = SMALL | {"stages.images": (64,), "train.loggers": (name,)}
  config = jaxgen.config("textures_patch_ae:smoke", **changes)
  assert jaxgen.train(config, tmp_path / "run")
  record = json.loads((tmp_path / "run/loggers.json").read_text())
  stored = contents(tmp_path / "run", name, record[name])
  sent = b"".join(v for k, v in stored.items() if k.endswith(".wandb"))
  for said in (b"validation/psnr", b"loss", b"learning_rate"):
    assert said in sent
  assert any(x.endswith(".png") for x in stored)


class Broken:
  """A service that is gone after the first message."""

  identity, place, sent = "7", "nowhere", 0

  def scalars(self, step, values):
    self.sent += 1
    if self.sent > 1:
      raise ConnectionError("no route to host\nand more")

  def image(self, step, name, picture):
    raise AssertionError("nothing is drawn here")

  def close(self):
    raise AssertionError("closed after its failure")


def test_a_service_that_fails_is_reported_once(capsys):
  service = Broken()
  guarded = loggers.Guarded("wandb", lambda: service)
  for step in range(4):
    guarded.scalars(step, {})
  guarded.close()
  said = capsys.readouterr().out
  assert said.count("warning: wandb: no route to host; nothing more") == 1
  assert service.sent == 2 and guarded.identity == "7"


def test_one_that_cannot_be_opened_is_not_kept(capsys, tmp_path, monkeypatch):
  def refused(*_):
    raise PermissionError("no API key")

  monkeypatch.setitem(loggers.KINDS, "wandb", refused)
  (guarded,) = loggers.open_loggers(["wandb"], tmp_path, {})
  guarded.scalars(1, {})
  assert "no API key" in capsys.readouterr().out
  assert not (tmp_path / "loggers.json").exists()


def test_a_missing_package_is_named(monkeypatch):
  monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
  with pytest.raises(UserError, match=r"wandb: pip install 'jaxgen\[wandb\]'"):
    loggers.check_installed(["wandb"])
  loggers.check_installed([])
