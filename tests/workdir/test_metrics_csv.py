import importlib.util
import math
import pathlib
import types
from typing import Any

import numpy as np
import pytest
from support.configs import toy_denoiser

from jaxgen.config.parse import parse
from jaxgen.evaluation import comparison
from jaxgen.monitor.view import read_run
from jaxgen.sweeps import measure, report
from jaxgen.sweeps.spec import Phase
from jaxgen.workdir import metrics_csv
from jaxgen.workdir.logging import MetricLog
from jaxgen.workdir.metrics_csv import read_rows, read_text_rows

ROOT = pathlib.Path(__file__).parents[2]
HEAD = "step,images,loss\r\n"
LINES = [f"{i},{i * 32},0.{i}2345\r\n" for i in (9, 12, 150)]


def write(path, text):
  path.write_bytes(text.encode())
  return read_text_rows(path)


def steps(rows):
  return [int(row["step"]) for row in rows]


def test_a_file_cut_anywhere_gives_the_rows_before_the_cut(tmp_path):
  path, text = tmp_path / "metrics.csv", HEAD + "".join(LINES)
  whole = write(path, text)
  assert steps(whole) == [9, 12, 150]
  for length in range(len(text)):
    rows = write(path, text[:length])
    assert rows == whole[: len(rows)]
    ends = [len(HEAD + "".join(LINES[:n])) for n in range(1, 4)]
    assert len(rows) >= sum(length >= end for end in ends)


def test_where_steps_start_again_the_new_rows_stand(tmp_path):
  again = ["12,384,7\r\n", "13,416,8\r\n"]
  rows = write(tmp_path / "m.csv", HEAD + "".join(LINES + again))
  assert steps(rows) == [9, 12, 13]
  assert [row["loss"] for row in rows][1:] == ["7", "8"]


def test_rubbish_is_no_row(tmp_path):
  path = tmp_path / "m.csv"
  assert read_text_rows(path) == []
  for seed in range(20):
    path.write_bytes(np.random.default_rng(seed).bytes(2000))
    assert read_text_rows(path) == []
  long = f'"{"x" * 200_000}",1,2\r\n'  # more than a field of csv can be
  assert steps(write(path, HEAD + LINES[0] + long)) == [9]


COLUMNS = "step,images,images_per_second,stage,resolution,loss,validation/mse"
CLEAN = f"""{COLUMNS}
1,32,16,1,8,3,
2,64,16,1,8,nan,0.25
4,128,32,2,16,1,0.125
"""
# Of a run that was killed after step 5, resumed at step 1, and is just writing
# its last row.
DAMAGED = f"""{COLUMNS}
1,32,16,1,8,3,
2,64,8,1,8,9,0.9
3,96,8,1,8,9,0.9
5,160,8,1,8,9,0.9
2,64,16,1,8,nan,0.25
4,128,32,2,16,1,0.125
12,384,32,2,16,1,0.1"""


@pytest.fixture
def runs(tmp_path):
  """Two runs that must look the same: a clean file, and what is left of one."""
  for name, text in (("clean", CLEAN), ("damaged", DAMAGED)):
    (tmp_path / name).mkdir()
    (tmp_path / name / "metrics.csv").write_text(text)
  return tmp_path / "clean", tmp_path / "damaged"


def of_monitor(workdir):
  view = read_run(workdir)
  return repr((view.latest, view.loss, view.scores, view.best, view.rate))


def of_report(workdir):
  """The learning curves."""
  phase = Phase(name="one", runs={workdir.name: {}}, metric="mse")
  curves = report._curves(workdir.parent, phase, {workdir.name: {}})
  return {name: [*points.values()] for name, points in curves.items()}


def of_script(workdir):
  path = ROOT / "scripts/plot_stages.py"
  spec = importlib.util.spec_from_file_location("plot_stages", path)
  assert spec and spec.loader
  script = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(script)
  return script.read(workdir, "validation/mse")


def of_log(workdir):
  """What stands in the file after a resume."""
  MetricLog(workdir, step=100).close()
  return (workdir / "metrics.csv").read_text()


def of_comparison(workdir):
  run: Any = types.SimpleNamespace(
    workdir=workdir, experiment=parse(toy_denoiser())
  )
  return comparison.training_cost(run)


@pytest.mark.parametrize(
  "reader",
  [
    of_monitor,
    of_report,
    of_script,
    of_log,
    of_comparison,
    lambda workdir: measure._training(workdir, 2),
    lambda workdir: measure._training(workdir, 12),
  ],
)
def test_every_reader_drops_superseded_steps_and_a_cut_last_line(runs, reader):
  clean, damaged = map(reader, runs)
  assert clean == damaged and clean


def test_the_numbers_of_a_run(runs):
  rows = metrics_csv.read(runs[1])
  assert metrics_csv.column(rows, "validation/mse") == (0.25, 0.125)
  assert metrics_csv.curve(rows, "loss") == [(32, 3), (128, 1)]
  latest = metrics_csv.latest(rows)
  assert (latest["step"], latest["loss"]) == (4, 1)
  assert metrics_csv.at_step(rows, 4)["stage"] == 2
  assert metrics_csv.at_step(rows, 12) == {}
  assert metrics_csv.training_time(rows) == (128, 6.0)


def test_cells_without_a_number_are_left_out(tmp_path):
  path = tmp_path / "metrics.csv"
  path.write_text("step,images,loss,note\n1,inf,inf,x\n2,,nan,\n")
  first, second = read_rows(path)
  assert first == {"step": 1, "loss": math.inf}
  assert second.keys() == {"step", "loss"} and math.isnan(second["loss"])
  assert metrics_csv.training_time([first, second]) is None


def test_a_log_that_cannot_be_read_is_no_log_but_for_the_monitor(tmp_path):
  (tmp_path / "metrics.csv").mkdir()
  assert metrics_csv.read(tmp_path) == []
  with pytest.raises(IsADirectoryError):
    read_rows(tmp_path / "metrics.csv")


LOG = "".join([HEAD, *LINES])  # steps 9, 12 and 150


def resume(tmp_path, text, step):
  """The steps kept, and whether the file before is kept too, byte for byte."""
  data = text if isinstance(text, bytes) else text.encode()
  path, copy = (tmp_path / f"metrics.csv{x}" for x in ("", ".damaged"))
  copy.unlink(missing_ok=True)
  path.write_bytes(data)
  MetricLog(tmp_path, step=step).close()
  kept = copy.exists()
  assert not kept or copy.read_bytes() == data
  return steps(read_text_rows(path)), kept


def test_a_resume_drops_rows_past_its_step_only(tmp_path, capsys):
  for step, left in ((8, []), (12, [9, 12]), (150, [9, 12, 150])):
    assert resume(tmp_path, LOG, step) == (left, False)
  assert resume(tmp_path, LOG + "151,48", 150) == ([9, 12, 150], False)
  assert resume(tmp_path, "", 0) == ([], False)
  assert resume(tmp_path, "\r\n", 0) == ([], False)
  assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
  ("text", "left"),
  [
    (LOG.replace("step", "stop"), []),
    (LOG.replace("12,384", "1x,384"), [9, 150]),
    (LOG.replace("12,384", "2,384"), [2, 150]),
    (LOG.replace("12,384,", "12,384"), [9, 150]),
    (LOG.replace("0.92345", '"0.92345'), [9]),
    (LOG.replace("12,384", f"{'9' * 5000},384"), [9, 150]),
    (LOG.encode().replace(b"384", b"\xff84"), [9, 12, 150]),
    (LOG[:-3], [9, 12]),
    (LOG + "1", [9, 12, 150]),
    (b"\0" * 100, []),
  ],
)
def test_a_resume_keeps_a_damaged_log_and_says_so(tmp_path, capsys, text, left):
  assert resume(tmp_path, text, 150) == (left, True)
  said = capsys.readouterr().out
  assert "metrics.csv.damaged" in said and said.count("\n") == 1


def test_a_log_damaged_again_is_kept_again(tmp_path):
  for number in range(3):
    (tmp_path / "metrics.csv").write_text(f"{number}")
    MetricLog(tmp_path, step=1).close()
  kept = sorted(tmp_path.glob("metrics.csv.damaged*"))
  assert [path.read_text() for path in kept] == ["0", "1", "2"]
