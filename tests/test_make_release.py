import hashlib
import shutil

import make_release
import numpy as np
import pytest
from make_release import DIGESTS, Model

import jaxgen

CONFIG = "configs/textures_patch_ae.py:smoke"


@pytest.fixture
def out(trained, tmp_path, monkeypatch):
  """A folder with a finished run of the smoke config."""
  monkeypatch.setitem(make_release.MODELS, "textures", Model(CONFIG))
  shutil.copytree(trained, tmp_path / "runs/textures")
  return tmp_path


def release(out, monkeypatch):
  argv = ["make_release.py", f"--out={out}", "--only=textures"]
  monkeypatch.setattr("sys.argv", argv)
  make_release.main()


def test_what_is_released_is_the_run(out, trained, monkeypatch):
  for _ in range(2):  # again: nothing is left to do
    release(out, monkeypatch)
  released, run = map(jaxgen.load, (out / "models/textures", trained))
  images = run.images("validation", 2)
  np.testing.assert_array_equal(released.encode(images), run.encode(images))
  lines = (out / "models" / DIGESTS).read_text().splitlines()
  names = [line.split("  ")[1] for line in lines]
  assert "textures/model.safetensors" in names and DIGESTS not in names
  for line in lines:
    digest, name = line.split("  ")
    content = (out / "models" / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest


def test_a_model_that_is_too_large_is_refused(out, monkeypatch):
  monkeypatch.setattr(make_release, "LIMIT", 1000)
  with pytest.raises(SystemExit, match="models/textures: .* at most 1,000"):
    release(out, monkeypatch)


def test_faces_need_a_folder(monkeypatch, tmp_path, capsys):
  monkeypatch.setattr("sys.argv", ["make_release.py", f"--out={tmp_path}"])
  with pytest.raises(SystemExit):
    make_release.main()
  assert "--faces=MY_FACES is missing" in capsys.readouterr().err
