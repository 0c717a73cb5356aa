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
    with pytest.raises(UserError, match=rf"^--out={store}://.* {store}://"):
      addresses.check_local(value, "--out")


def test_verbs_and_functions_refuse_them(capsys, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  config = "--config=textures_patch_ae:smoke"
  for argv in (
    ["train", config, "--workdir=gs://b/x"],
    ["sample", "--workdir=gs://b/x", "--num=1", "--out=new"],
    ["train", config, "--workdir=new", "--config.train.init_from=s3://b/x"],
  ):
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert "://b/x: " in said and len(said.splitlines()) == 1
  with pytest.raises(UserError, match="workdir=gs://b/x"):
    jaxgen.train(jaxgen.config("textures_patch_ae:smoke"), "gs://b/x")
  with pytest.raises(UserError, match="run=gs://b/x"):
    jaxgen.load("gs://b/x")
  assert not [x for x in tmp_path.rglob("*") if x.is_file()]
