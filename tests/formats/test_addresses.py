import pathlib

import pytest

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.formats import addresses


@pytest.mark.parametrize(
  "path", ["runs/demo", "/runs", "C:/runs", "hf://a/b", "gs/x", "a b:/c", "x:y"]
)
def test_folders_and_the_hub_are_fine(path):
  addresses.check_local(path, "path")
  addresses.check_local(pathlib.Path(path), "path")


@pytest.mark.parametrize("path", ["gs://b/x", "s3://b", "file:///tmp/x"])
def test_stores_are_refused_by_name(path):
  store = path.partition(":")[0]
  for value in (path, pathlib.Path(path)):
    with pytest.raises(UserError, match=rf"^--out={path}: {store}://"):
      addresses.check_local(value, "--out")


def test_only_runs_lie_in_stores(capsys, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for argv in (
    ["sample", "--workdir=run", "--num=1", "--out=gs://b/x"],
    ["sweep", "--workdir=gs://b/x"],
    ["calibrate", "--workdir=gs://b/x"],
  ):
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert "=gs://b/x: gs:// is only for runs" in said
    assert len(said.splitlines()) == 1
  assert not list(tmp_path.iterdir())


def test_stores_that_are_not_known_are_one_line(capsys, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  config = "--config=textures_patch_ae:smoke"
  start = "--config.train.init_from=nowhere://b/x"
  for argv in (
    ["train", config, "--workdir=nowhere://b/x"],
    ["train", config, "--workdir=new", start],
    ["sample", "--workdir=nowhere://b/x", "--num=1", "--out=new"],
  ):
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert "nowhere://b/x: fsspec knows no" in said
    assert len(said.splitlines()) == 1
  for action in (
    lambda x: jaxgen.train(jaxgen.config("textures_patch_ae:smoke"), x),
    jaxgen.load,
  ):
    with pytest.raises(UserError, match="^nowhere://b/x: "):
      action("nowhere://b/x")
  assert not [x for x in tmp_path.rglob("*") if x.is_file()]
