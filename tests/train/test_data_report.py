"""The data report of a run, and what a run prints at its start."""

import functools
import json

import pytest
from support.configs import toy
from support.faults import command

from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.train import data_report
from jaxgen.train.opening import describe
from jaxgen.train.programs import stage_programs


@pytest.mark.slow
def test_a_run_begins_with_its_data_model_and_compilation(tmp_path, capsys):
  assert main(command(tmp_path)) == 0
  said = capsys.readouterr().out
  order = [
    "training on 3 images",
    "parameters",
    "compiling",
    "compiled",
    "step 1 ",
  ]
  places = [said.index(part) for part in order]
  assert places == sorted(places)
  assert "log MSE" in said and "(step" in said
  found = json.loads((tmp_path / "data_report.json").read_text())
  assert found["train"] == 3 and found["tiles"] == str(tmp_path / "data.png")
  events = b"".join(
    x.read_bytes() for x in (tmp_path / "tensorboard").iterdir()
  )
  assert b"\n\x04data" in events  # the tag of the picture
  path = tmp_path / "data_report.json"
  before = path.stat().st_mtime_ns
  assert main(command(tmp_path)) == 0
  assert path.stat().st_mtime_ns == before
  assert str(path) in capsys.readouterr().out


def test_a_report_is_made_anew_for_other_tiles(tmp_path, capsys):
  make = functools.partial(data_report.new_report, workdir=tmp_path)
  one, other = parse(toy()), parse(toy(data={"crop_size": 64}))
  report = make(one)
  assert report is not None
  data_report.save_report(report, one, tmp_path)
  assert make(one) is None
  assert make(parse(toy(data={"threads": 1, "cache_mb": 7}))) is None
  assert make(other) is not None
  (tmp_path / "data_report.json").write_text("{")
  assert make(one) is not None


def test_the_model_is_described(capsys):
  programs = stage_programs(parse(toy()))
  describe(programs)
  said = capsys.readouterr().out
  assert "parameters" in said and "8 x cpu" in said
