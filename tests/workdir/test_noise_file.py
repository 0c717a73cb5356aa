"""The file noise.json."""

import json

import pytest

from jaxgen.errors import UserError
from jaxgen.restoration.calibration import Calibration
from jaxgen.workdir.noise_file import read_noise_json, write_noise_json

CONTENT = {
  "gain": 2.0,
  "gain_unit": "DN per electron",
  "read_noise": 1.5,
  "black": 100.0,
}


def test_what_is_written_is_read(tmp_path):
  path = tmp_path / "noise.json"
  found = Calibration(
    method="m", gain=2.0, read_noise=1.5, black=100.0, white=4095.0
  )
  content = write_noise_json(path, found, maps=[])
  assert json.loads(path.read_text()) == content
  camera = read_noise_json(path)
  assert (camera.gain, camera.read_noise) == (2, 1.5)
  assert (camera.black, camera.white) == (100, 4095)


def test_no_white_level_is_infinite(tmp_path):
  path = tmp_path / "noise.json"
  path.write_text(json.dumps(CONTENT))
  assert read_noise_json(path).white == float("inf")


@pytest.mark.parametrize(
  ("change", "names"),
  [
    ({"gain": 0}, "gain"),
    ({"gain": None}, "gain"),
    ({"gain": "2"}, "gain"),
    ({"gain": True}, "gain"),
    ({"gain": 10**400}, "gain"),
    ({"read_noise": -1}, "read_noise"),
    ({"read_noise": float("nan")}, "read_noise"),
    ({"white": 50}, "white"),
    ({"gain_unit": "electrons per DN"}, "gain_unit"),
    ({"format": "jaxgen noise 9"}, "format"),
    ({"black": [1]}, "black"),
  ],
)
def test_no_camera_is_one_line(change, names, tmp_path):
  path = tmp_path / "noise.json"
  path.write_text(json.dumps({**CONTENT, **change}))
  with pytest.raises(UserError, match=names) as error:
    read_noise_json(path)
  assert "\n" not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"3", b"\xff\xfe", None])
def test_damaged_files_are_one_line(text, tmp_path):
  path = tmp_path / "noise.json"
  if text is not None:
    path.write_bytes(text)
  with pytest.raises(UserError) as error:
    read_noise_json(path)
  assert "\n" not in str(error.value)
