"""Data of a run that have moved."""

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image
from support.analytic_run import analytic_run

from jaxgen.cli import evaluate
from jaxgen.cli.main import main
from jaxgen.config.data import DataConfig
from jaxgen.data import sources
from jaxgen.errors import UserError

RNG = np.random.default_rng(0)


def run_of(data):
  run = analytic_run()
  experiment = dataclasses.replace(run.experiment, data=data)
  return dataclasses.replace(run, experiment=experiment)


@pytest.fixture
def moved(tmp_path):
  """A run, the tiles that it was trained on, and where they are now."""
  old, new = tmp_path / "old.npy", tmp_path / "new.npy"
  np.save(old, RNG.integers(0, 256, (12, 8, 8), np.uint8))
  data = DataConfig(source="arrays", path=str(old), channels=1)
  run = run_of(data)
  tiles = run.images("train")
  old.rename(new)
  sources.build.cache_clear()
  return run, tiles, new


def test_data_are_read_where_they_are_now(moved):
  run, tiles, path = moved
  found = run.with_data(str(path))
  np.testing.assert_array_equal(found.images("train"), tiles)
  with pytest.raises(UserError, match="old.npy"):
    run.images("train")


def test_evaluate_says_that_data_may_have_moved(
  moved, tmp_path, monkeypatch, capsys
):
  run, tiles, path = moved
  monkeypatch.setattr("jaxgen.sample.load.load", lambda *_: run)
  measured = []
  take = lambda model, args, out: measured.append(model.images("train"))  # noqa: E731
  monkeypatch.setattr(evaluate, "_generation", take)
  command = ["evaluate", "--workdir=w", f"--out={tmp_path / 'out'}"]
  assert main(command) == 2
  error = capsys.readouterr().err
  assert "old.npy" in error and "--data=PATH" in error
  assert error.count("\n") == 1 and not measured
  assert main([*command, f"--data={path}"]) == 0
  np.testing.assert_array_equal(measured[0], tiles)


@pytest.mark.parametrize("inside", [True, False])
def test_masks_move_with_their_images(tmp_path, inside):
  old, new = tmp_path / "old", tmp_path / "new"
  masks = old / "images/masks" if inside else old / "masks"
  for folder in (old / "images", masks):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(4):
      pixels = RNG.integers(0, 2, (8, 8), np.uint8)
      Image.fromarray(pixels).save(folder / f"{i}.png")
  data = DataConfig(
    source="folder",
    path=str(old / "images"),
    masks="masks" if inside else str(masks),
    channels=1,
  )
  run = run_of(data)
  before = run.tiles("train")["mask"]
  shutil.move(old, new)
  sources.build.cache_clear()
  after = run.with_data(str(new / "images")).tiles("train")["mask"]
  np.testing.assert_array_equal(after, before)


def test_data_that_are_drawn_cannot_have_moved():
  with pytest.raises(UserError, match="--data=elsewhere"):
    analytic_run().with_data("elsewhere")
