"""Maps of single pixels beside noise.json."""

import json

import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.restoration.camera import GAIN_UNIT
from jaxgen.workdir.noise_maps import read_camera

NUMBERS = {"gain": 2.0, "read_noise": 1.5, "black": 100.0, "white": 4095}


@pytest.fixture
def folder(tmp_path):
  content = {"gain_unit": GAIN_UNIT, **NUMBERS}
  (tmp_path / "noise.json").write_text(json.dumps(content))
  return tmp_path


def test_without_maps_a_camera_has_numbers(folder):
  camera = read_camera(folder)
  assert camera.gain == 2.0 and camera.dead is False
  assert read_camera(folder / "noise.json") == camera


def test_maps_are_read_and_nan_is_dead(folder):
  black = np.full((4, 5), 101.0)
  black[0, 0], black[1, 1] = np.nan, 9999.0
  dead = np.zeros((4, 5), bool)
  dead[1, 1] = True
  np.save(folder / "black.npy", black)
  np.save(folder / "gain.npy", np.full((4, 5, 1), 2.5))
  np.save(folder / "dead.npy", dead)
  camera = read_camera(folder)
  found = [np.asarray(x) for x in (camera.gain, camera.black, camera.dead)]
  assert {x.shape for x in found} == {(4, 5, 1)}
  assert np.argwhere(found[2][..., 0]).tolist() == [[0, 0], [1, 1]]
  assert found[1][0, 0] == found[1][1, 1] == 100.0
  assert found[1][2, 2] == 101.0 and camera.read_noise == 1.5


@pytest.mark.parametrize(
  ("name", "values"),
  [
    ("black.npy", np.ones(4)),
    ("dead.npy", np.array([["a", "b"]])),
    ("gain.npy", np.zeros((4, 5))),
    ("read_noise.npy", np.full((4, 5), -1.0)),
    ("dead.npy", np.zeros((5, 4), bool)),
  ],
)
def test_a_map_of_no_camera_is_one_error(name, values, folder):
  np.save(folder / "black.npy", np.full((4, 5), 100.0))
  np.save(folder / name, values)
  with pytest.raises(UserError, match=name):
    read_camera(folder)


def test_a_damaged_map_is_named(folder):
  (folder / "black.npy").write_bytes(b"x")
  with pytest.raises(UserError, match=r"black\.npy"):
    read_camera(folder)
