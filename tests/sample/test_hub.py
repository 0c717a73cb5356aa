"""Runs on the Hub, from a server on loopback and from the cache."""

import numpy as np
import pytest
from support.hub_server import COMMIT, serving

import jaxgen
from jaxgen.api import initial_weights
from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.formats import extras
from jaxgen.runs import hub
from jaxgen.sample.export import export

constants = pytest.importorskip("huggingface_hub.constants")
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens


@pytest.fixture
def connect(tmp_path, monkeypatch):
  """An empty cache, and a function that sets the address of the Hub; at first
  nothing is there."""

  def connect(address):
    known = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", known)

  monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
  connect(NOWHERE)
  return connect


@pytest.fixture(scope="module")
def shared(trained, tmp_path_factory):
  """An exported run, with a file that is none of a run's."""
  out = tmp_path_factory.mktemp("shared") / "tiles"
  out.mkdir()
  export(jaxgen.load(trained), out)
  (out / "surprise.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
  return out


def test_a_run_is_downloaded_once(trained, shared, connect):
  with serving(shared, "me/tiles") as address:
    connect(address)
    run = jaxgen.load("hf://me/tiles")
    with pytest.raises(UserError, match="hf://me/other: 404"):
      hub.local("hf://me/other")
  connect(NOWHERE)
  again = jaxgen.load(f"hf://me/tiles@{COMMIT}")
  expected = jaxgen.load(trained).sample(4, seed=2)
  for found in (run, again):
    np.testing.assert_array_equal(found.sample(4, seed=2), expected)
  assert not list(run.workdir.rglob("*.pkl"))
  experiment = parse(
    jaxgen.config(
      "textures_patch_ae:smoke", **{"train.init_from": "hf://me/tiles"}
    )
  )
  weights = initial_weights(experiment, run.workdir / "no_run")
  assert weights is not None and weights.names == run.names


def test_without_network_the_run_is_named(connect, capsys):
  argv = ["sample", "--workdir=hf://me/tiles", "--out=unused"]
  assert main(argv) == 2
  error = capsys.readouterr().err
  assert error.startswith("error: hf://me/tiles: ") and error.count("\n") == 1


@pytest.mark.parametrize(
  "name", ["hf://tiles", "hf://a/b/c", "hf://a/b@", "hf:/"]
)
def test_other_references_are_refused(name):
  with pytest.raises(UserError, match="hf://OWNER/NAME"):
    hub.local(name)


def test_a_missing_package_is_named(monkeypatch):
  def missing(name):
    raise ImportError(name)

  monkeypatch.setattr(extras.importlib, "import_module", missing)
  with pytest.raises(UserError, match=r"jaxgen\[hub\]"):
    hub.local("hf://me/tiles")


def test_of_a_pipeline_only_one_model_is_downloaded(tmp_path, connect):
  for name in ("vae", "unet"):
    (tmp_path / "repository" / name).mkdir(parents=True)
    (tmp_path / "repository" / name / "config.json").write_text(name)
  (tmp_path / "repository" / "model_index.json").write_text("{}")
  with serving(tmp_path / "repository", "me/pipeline") as address:
    connect(address)
    folder = hub.local("hf://me/pipeline", "vae")
  found = [x for x in folder.parent.rglob("*") if x.is_file()]
  assert found == [folder / "config.json"]
  assert found[0].read_text() == "vae"
