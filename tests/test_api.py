"""The public API: `jaxgen.config`, `train`, `load` and `show`."""

import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from support.configs import ROOT
from support.faults import steps
from support.programs import SMALL

import jaxgen
from jaxgen.config.files import load_config
from jaxgen.config.parse import parse
from jaxgen.errors import UserError

TOY = SMALL | {"stages.images": (64,), "train.latent_cache_tiles": 32}


def test_a_config_has_the_name_of_its_file():
  path = f"{ROOT}/configs/textures_patch_ae.py:smoke"
  found = jaxgen.config("textures_patch_ae:smoke")
  assert found == jaxgen.config(path)
  assert found.to_dict() == load_config(path, []).to_dict()
  assert jaxgen.config("textures_patch_ae").stages.images == (2_000_000,)


def test_a_config_is_for_changes():
  changes = {"data.seed": 3, "stages.images": (64,)}
  found = jaxgen.config("textures_patch_ae:smoke", **changes)
  assert (found.data.seed, found.stages.images) == (3, (64,))
  found.model.width = 64
  model: Any = parse(found).model
  assert model.width == 64
  assert jaxgen.config("textures_patch_ae:smoke").data.seed == 0


@pytest.mark.parametrize(
  ("name", "changes", "named"),
  [
    ("nowhere", {}, "name='nowhere': .*textures_patch_ae"),
    ("texture_patch_ae", {}, "Did you mean textures_patch_ae"),
    ("nowhere.py", {}, "name='nowhere.py'"),
    ("textures_patch_ae:large", {}, "'large'"),
    ("textures_patch_ae", {"data.sed": 3}, "data.sed"),
    ("textures_patch_ae", {"data.seed": -3}, "data.seed=-3"),
    ("textures_patch_ae", {"seed_": 3}, "seed_"),
  ],
)
def test_what_is_no_config_is_refused_by_its_name(name, changes, named):
  with pytest.raises(UserError, match=named):
    jaxgen.config(name, **changes)


@pytest.mark.slow
@pytest.mark.user_path
def test_from_a_config_to_pictures(tmp_path):
  config = jaxgen.config("textures_patch_ae:smoke", **TOY)
  assert jaxgen.train(config, tmp_path / "run") is True
  run = jaxgen.load(tmp_path / "run")
  images = run.sample(4, seed=1)
  assert images.shape == (4, 32, 32, 1) and images.dtype == np.uint8
  assert jaxgen.show(images).size[0] > 64
  # A finished run is finished, also as an `Experiment` and as text.
  assert jaxgen.train(parse(config), str(tmp_path / "run")) is True
  assert steps(tmp_path / "run") == [run.step]
  with pytest.raises(UserError, match="data.seed: 0 -> 3"):
    other = jaxgen.config("textures_patch_ae:smoke", **TOY, **{"data.seed": 3})
    jaxgen.train(other, tmp_path / "run")


def test_a_bad_config_touches_nothing(tmp_path):
  config = jaxgen.config("textures_patch_ae:smoke")
  with config.ignore_type():
    config.model.width = "wide"
  with pytest.raises(UserError, match="model.width='wide'"):
    jaxgen.train(config, tmp_path / "run")
  assert not (tmp_path / "run").exists()


def test_the_functions_are_packages_as_well():
  """`jaxgen.train` and `jaxgen.config` are called and imported from."""
  import jaxgen.config.parse
  import jaxgen.train.loop

  assert callable(jaxgen.train) and callable(jaxgen.train.loop.train)
  assert callable(jaxgen.config) and jaxgen.config.parse.parse is parse
  with pytest.raises(AttributeError, match="nonsense"):
    _ = jaxgen.nonsense


def test_the_door_lists_its_names_before_they_are_imported():
  code = (
    "import sys, jaxgen; assert 'jax' not in sys.modules;"
    "print(*dir(jaxgen)); assert 'jax' not in sys.modules"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert {*jaxgen.__all__} < {*done.stdout.split()}


def test_importing_the_door_imports_no_jax():
  code = (
    "import sys, jaxgen; jaxgen.train, jaxgen.config;"
    "sys.exit('jax' in sys.modules)"
  )
  assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
  ("shape", "columns", "rows"),
  [((5, 96, 96, 3), None, 3), ((4, 96, 96, 1), 4, 1), ((96, 96, 3), None, 1)],
)
def test_a_picture_of_images(shape, columns, rows):
  picture = jaxgen.show(np.zeros(shape, np.uint8), columns=columns)
  assert picture.height == 98 * rows - 2


@pytest.mark.parametrize(
  "images",
  [
    np.zeros((2, 8, 8, 3), np.float32),
    np.zeros((8, 8), np.uint8),
    np.zeros((0, 8, 8, 3), np.uint8),
    np.zeros((2, 0, 8, 3), np.uint8),
    np.zeros((2, 8, 8, 0), np.uint8),
  ],
)
def test_what_is_no_picture_is_refused(images):
  with pytest.raises(UserError, match="images"):
    jaxgen.show(images)


@pytest.mark.parametrize("columns", [-2, 0, 1.5])
def test_columns_that_are_no_number_of_columns_are_refused(columns):
  with pytest.raises(UserError, match="columns"):
    jaxgen.show(np.zeros((2, 8, 8, 3), np.uint8), columns=columns)


@pytest.mark.parametrize("config", ["textures_patch_ae", None, {"data": {}}])
def test_training_what_is_no_config_is_refused(config, tmp_path):
  with pytest.raises(UserError, match="config: expected .*got"):
    jaxgen.train(config, tmp_path)


def test_the_functions_have_their_signatures():
  """Also those that are packages; reading them may import JAX."""
  from jaxgen import api

  assert inspect.signature(jaxgen.train) == inspect.signature(api.train)
  assert [*inspect.signature(jaxgen.config).parameters] == ["name", "overrides"]
  assert "workdir: the run's folder" in (jaxgen.train.__doc__ or "")
