"""`jaxgen restore` within limits of time and memory."""

import json

import numpy as np
import pytest
from support.cameras import BLACK, GAIN, READ_NOISE, expose, scene
from support.exact_run import exact_run, tiles, write_table

from jaxgen.cli.main import main
from jaxgen.evaluation import resolutions
from jaxgen.sample import load

CAMERA = f"--gain={GAIN} --read_noise={READ_NOISE} --black={BLACK}"


@pytest.fixture
def run(tmp_path, monkeypatch):
  """A run with a table, and an exposure, in the current folder."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(resolutions, "_tiles", lambda run, side, n: tiles()[:n])
  run = exact_run(tmp_path / "run")
  run.workdir.mkdir()
  write_table(run)
  monkeypatch.setattr(load, "load", lambda *_: run)
  np.save("a.npy", expose(20 * scene(32)[:, :27], 0, frames=1)[0])
  return run


def restore(more):
  line = f"restore --workdir=run --out=out --input=a.npy {CAMERA} {more}"
  return main(line.split())


def test_the_choice_is_reported(run, capsys):
  assert restore("--max_seconds=13 --max_memory=50KiB") == 0
  said = capsys.readouterr().out
  assert "resolution: 8 pixels, sums of 2 x 2" in said
  assert "dB below the best (16 pixels)" in said
  report = json.loads(open("out/report.json").read())
  assert report["max_seconds"] == 13 and report["max_memory"] == 50 * 2**10
  found = report["files"][0]["chosen_resolution"]
  assert (found["resolution"], found["best_resolution"]) == (8, 16)
  assert found["loss_db"] > 0 and found["enlarged_by"] == "lanczos3"
  assert found["expected_seconds"] <= 13
  assert found["expected_bytes"] <= 50 * 2**10
  assert "sums of 2 x 2" in open("out/report.html").read()
  assert np.load("out/mean.npy").shape == np.load("out/std.npy").shape


def test_a_preference_alone_is_enough(run, capsys):
  assert restore("--preference=quality") == 0
  assert "resolution: 16 pixels: " in capsys.readouterr().out
  assert restore("") == 0
  assert "resolution" not in capsys.readouterr().out
  report = json.loads(open("out/report.json").read())
  assert "chosen_resolution" not in report["files"][0]


@pytest.mark.parametrize(
  ("more", "named"),
  [
    ("--max_seconds=0.001", ("--max_seconds=0.001:", "8 pixels", " s and")),
    ("--max_memory=1KiB", ("--max_memory=1024:", "8 pixels", "MiB")),
    ("--max_seconds=0", ("--max_seconds",)),
    ("--max_seconds=nan", ("--max_seconds",)),
    ("--max_memory=much", ("--max_memory",)),
    ("--preference=best", ("--preference",)),
    (
      "--max_seconds=9 --operator=downsample:2 --samples=2",
      ("--max_seconds=9", "operator=none"),
    ),
  ],
)
def test_limits_that_cannot_be_met_are_one_line(run, capsys, more, named):
  assert restore("") == 0
  before = open("out/report.json").read()
  capsys.readouterr()
  assert restore(more) == 2
  said = capsys.readouterr().err
  assert said.startswith("error: ") and said.count("\n") == 1
  assert all(x in said for x in named)
  assert open("out/report.json").read() == before


def test_without_a_table_the_verb_that_writes_it_is_named(run, capsys):
  (run.workdir / "resolutions.json").unlink()
  assert restore("--max_seconds=9") == 2
  said = capsys.readouterr().err
  assert said.count("\n") == 1 and "jaxgen calibrate --workdir=" in said
