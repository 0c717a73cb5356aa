"""The verb `data`."""

import json

import numpy as np
import pytest

from jaxgen.cli.main import main

CONFIG = "--config=configs/textures_patch_ae.py:smoke"
PROMISED = (
  "train validation classes unlabelled skipped bits channels value_range "
  "value_seen masks split warnings tiles"
).split()


def test_json_is_one_object_with_what_is_promised(capsys):
  assert main(["data", CONFIG, "--json"]) == 0
  found = json.loads(capsys.readouterr().out)
  assert set(PROMISED) <= found.keys()
  assert found["tiles"].endswith(".png")


def test_the_report_is_written_and_printed(tmp_path, capsys):
  np.save(tmp_path / "x.npy", np.random.default_rng(0).random((12, 16, 16)))
  line = ["data", f"--input={tmp_path / 'x.npy'}", f"--out={tmp_path / 'out'}"]
  assert main(line) == 0
  assert "trained on   11 images" in capsys.readouterr().out
  assert (tmp_path / "out/data.png").is_file()
  assert (tmp_path / "out/data_report.json").is_file()


@pytest.mark.parametrize(
  ("line", "names"),
  [
    ("", "--config"),
    ("--input=gone", "gone"),
    ("--config=gone.py", "gone.py"),
    (f"{CONFIG} --resolution=8", "--resolution"),
    (f"{CONFIG} --config.data.channels=2", "data.channels"),
    ("--input=. --config.seed=1", "--config.seed=1"),
  ],
)
def test_bad_input_is_one_line_and_status_2(line, names, tmp_path, capsys):
  assert main(["data", f"--out={tmp_path}", *line.split()]) == 2
  error = capsys.readouterr().err
  assert error.startswith("error: ") and names in error
  assert error.count("\n") == 1
