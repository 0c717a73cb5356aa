"""`jaxgen monitor` on trained, unfinished and damaged runs."""

import json
import math
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.monitor import text
from jaxgen.monitor.view import PATIENCE, read_run
from jaxgen.workdir import lock
from jaxgen.workdir.checkpoint_reader import CheckpointReader
from jaxgen.workdir.metrics_csv import read_text_rows

CONFIG = pathlib.Path(__file__).parents[2] / "configs/textures_patch_ae.py"
STAGES = {  # the first of them ends early: the metric never rises by so much
  "stages.resolution": "(16,24)",
  "stages.patch_size": "(4,6)",
  "stages.images": "(320,128)",
  "stages.batch_size": "(32,)",
  "train.advance": "adaptive",
  "train.advance_tolerance": 100.0,
  "train.advance_window": 32,
  "train.advance_minimum": 0.2,
  "train.evaluate_images": 32,
  "train.log_images": 32,
  "model.encoder_depth": 1,
  "model.decoder_depth": 0,
}


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
  """The workdir of an adaptive run of two stages, only to be read."""
  workdir = tmp_path_factory.mktemp("staged") / "run"
  flags = [f"--config.{k}={v}" for k, v in STAGES.items()]
  command = ["train", f"--config={CONFIG}:smoke", f"--workdir={workdir}"]
  assert main([*command, *flags]) == 0
  return workdir


@pytest.fixture
def copy(trained, tmp_path):
  """A finished run, to be done harm to."""
  return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def unfinished(copy):
  """As it was before its last row and its last checkpoint."""
  path = copy / "metrics.csv"
  lines = path.read_text().splitlines(keepends=True)
  path.write_text("".join(lines[:-1]))
  newest = max(copy.glob("checkpoints/[0-9]*"), key=lambda p: int(p.name))
  newest.rename(copy / "put aside")
  (copy / "last line").write_text(lines[-1])
  return copy


def content(folder):
  """All there is in a folder, and when it was written."""
  return {
    path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
    for path in [folder, *folder.rglob("*")]
  }


def start(*arguments, **options) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, "-m", "jaxgen.cli.main", "monitor", *arguments],
    **options,
  )


def test_a_finished_run_is_shown_as_it_ended(trained):
  rows = read_text_rows(trained / "metrics.csv")
  view = read_run(trained)
  assert view.state == "finished" and view.notes == ()
  assert (view.task, view.stage, view.stages) == ("autoencoder", 1, 1)
  assert view.images == view.total == view.stage_end == 960
  assert view.step == int(rows[-1]["step"]) == 30
  assert view.rate == float(rows[-1]["images_per_second"])
  assert view.loss == tuple(float(r["loss"]) for r in rows if r["loss"])
  psnr = {float(r["validation/psnr"]): r for r in rows if r["validation/psnr"]}
  assert view.best and view.best.value == max(psnr) == max(view.scores)
  assert view.best.step == int(psnr[max(psnr)]["step"])
  preview = trained / "samples" / "00000030.png"
  assert view.preview == preview and preview.is_file()


def test_the_best_checkpoint_is_the_one_that_samplers_take(trained, staged):
  for workdir in (trained, staged):
    checkpoints = CheckpointReader(workdir, metric="psnr")
    view = read_run(workdir)
    assert list(view.checkpoints) == checkpoints.steps
    assert view.best_checkpoint == checkpoints.best()
    checkpoints.close()


def test_a_stage_that_ended_early_is_over(staged):
  view = read_run(staged)
  assert view.state == "finished" and (view.stage, view.stages) == (2, 2)
  assert view.resolution == 24
  assert view.images == view.total < 320 + 128
  assert view.best and view.best.stage == 2


def test_the_best_is_of_the_newest_stage(staged, tmp_path):
  """Small tiles are easier: their values do not count any more."""
  shutil.copy(staged / "config.json", tmp_path)
  rows = read_text_rows(staged / "metrics.csv")
  for row in rows:
    row["validation/psnr"] = "99" if row["stage"] == "1" else row["step"]
  lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows), ""]
  (tmp_path / "metrics.csv").write_text("\n".join(lines))
  best, last = read_run(tmp_path).best, int(rows[-1]["step"])
  assert best and (best.value, best.step, best.stage) == (last, last, 2)


def test_where_a_run_is_follows_from_its_rows_alone(staged, tmp_path):
  """Row by row, without checkpoints: the first stage is planned, then over."""
  shutil.copy(staged / "config.json", tmp_path)
  lines = (staged / "metrics.csv").read_text().splitlines(keepends=True)
  views = []
  for n in range(1, len(lines) + 1):
    (tmp_path / "metrics.csv").write_text("".join(lines[:n]))
    views.append(read_run(tmp_path))
  assert views[0].step == 0 and views[0].total == 320 + 128
  end = max(v.images for v in views if v.stage == 1)
  for view in views:
    second = view.stage == 2
    assert view.total == (end if second else 320) + 128
    assert view.stage_end == (view.total if second else 320)
    assert view.state == "stopped"
  assert [v.stage for v in views] == sorted(v.stage for v in views)
  assert {v.stage for v in views} == {1, 2}


def test_looking_writes_nothing(trained, capsys):
  before = content(trained)
  assert main(["monitor", f"--workdir={trained}"]) == 0
  assert "finished" in capsys.readouterr().out
  assert content(trained) == before


def test_whether_the_process_is_alive(unfinished):
  now = time.time()
  assert read_run(unfinished).state == "stopped"
  with lock.hold(unfinished):
    assert read_run(unfinished).state == "running"
    late = read_run(unfinished, now + 10 * PATIENCE)
    assert late.state == "silent"
    assert late.age == pytest.approx(10 * PATIENCE, abs=60)
    (unfinished / "put aside").rename(unfinished / "checkpoints/30")
    assert read_run(unfinished).state == "finishing"
  assert read_run(unfinished).state == "finished"


def test_the_last_row_without_its_checkpoint_is_not_the_end(unfinished):
  with (unfinished / "metrics.csv").open("a") as file:
    file.write((unfinished / "last line").read_text())
  view = read_run(unfinished)
  assert (
    view.checkpoints and view.images == view.total and view.state == "stopped"
  )


def test_a_run_that_has_just_begun(tmp_path):
  with lock.hold(tmp_path):  # config.json comes after the first compilation
    view = read_run(tmp_path)
    assert view.state == "running" and view.step == 0
    assert ("progress", "no metrics yet") in text.labeled_lines(view, 40)
  with pytest.raises(UserError, match="holds no run"):
    read_run(tmp_path)


@pytest.mark.parametrize("bad", ["", "{", "[]", "3", '{"stages": 3}', "\0"])
def test_a_damaged_config_leaves_what_the_rows_tell(copy, bad):
  (copy / "config.json").write_text(bad)
  view = read_run(copy)
  assert len(view.notes) == 1 and "config.json is damaged" in view.notes[0]
  assert (view.images, view.total, view.stages) == (960, 0, 0)
  assert dict(text.labeled_lines(view, 40))["progress"] == "960 images"


@pytest.mark.parametrize(
  "stages",
  [
    {"images": []},
    {"batch_size": [0]},
    {"resolution": ["a"]},
    {"images": [1, 2, 3], "batch_size": [1, 2]},
  ],
)
def test_stages_without_sense_are_damage(copy, stages):
  path = copy / "config.json"
  config = json.loads(path.read_text())
  config["stages"] |= stages
  path.write_text(json.dumps(config))
  assert read_run(copy).notes


@pytest.mark.parametrize("bad", [b"", b"[]", b"{}", b"\xff", b'{"psnr": "x"}'])
@pytest.mark.parametrize("name", ["metrics/metrics", "_CHECKPOINT_METADATA"])
def test_a_damaged_checkpoint_is_still_listed(copy, name, bad):
  (copy / "checkpoints/30" / name).write_bytes(bad)
  view = read_run(copy)
  assert 30 in view.checkpoints and view.state == "finished"
  assert (view.best_checkpoint == 30) == (name[0] == "_")


@pytest.mark.parametrize("ended", [None, 3, "x", ["x"], [None]])
def test_metadata_without_sense_are_as_none(copy, ended):
  path = copy / "checkpoints/30/_CHECKPOINT_METADATA"
  meta = json.loads(path.read_text())
  assert meta["custom_metadata"]["ended"] == [960]
  meta["custom_metadata"]["ended"] = ended
  path.write_text(json.dumps(meta))
  assert read_run(copy).state == "finished"


def test_rows_of_rubbish_and_of_no_numbers(copy):
  path = copy / "metrics.csv"
  whole = path.read_bytes()
  for seed in range(20):
    path.write_bytes(np.random.default_rng(seed).bytes(500))
    assert read_run(copy).step == 0
  head = whole.splitlines()[0].decode()
  for value in ("inf", "nan", "-1", "1e400", "", "x", "9" * 30):
    row = ",".join(["40", *[value] * head.count(",")])
    path.write_text(f"{head}\n{row}\n")
    view = read_run(copy)
    assert view.step == 40
    assert text.labeled_lines(view, 40) and text.table_row(view, 8)


def test_a_loss_that_was_not_finite_is_a_gap(unfinished):
  path = unfinished / "metrics.csv"
  head, *rows = path.read_text().splitlines()
  at = head.split(",").index("loss")
  cells = [row.split(",") for row in rows]
  [row for row in cells if row[at]][1][at] = "nan"
  path.write_text("\n".join([head, *map(",".join, cells), ""]))
  view = read_run(unfinished)
  assert math.isnan(view.loss[1])
  curve = dict(text.labeled_lines(view, 40))["loss curve"]
  assert curve[1] == " " and " " not in curve[2 : len(view.loss)]


def test_after_a_resume_the_newest_picture_is_the_last_one_drawn(copy):
  early = copy / "samples" / "00000003.png"
  shutil.copy(copy / "samples" / "00000030.png", early)
  future = time.time() + 5
  os.utime(early, (future, future))
  assert read_run(copy).preview == early


def test_columns_in_groups_are_shown_whatever_they_are(copy):
  path = copy / "metrics.csv"
  head, *rows = path.read_text().splitlines()
  rows = [f"{row},0.0{i + 1},{i}" for i, row in enumerate(rows)]
  path.write_text("\n".join([f"{head},kl/beta,kl/active_units", *rows, ""]))
  last = len(rows)
  shown = dict(text.labeled_lines(read_run(copy), 40))
  beta = f"{float(f'0.0{last}'):.4g}"
  assert shown["kl"] == f"beta {beta}  active_units {last - 1}"


@pytest.mark.parametrize("n", [1, 3, 7, 8, 40, 41, 1000])
def test_a_ramp_climbs_from_the_lowest_to_the_highest(n):
  ramp = np.linspace(-5, 3, n).tolist()
  line = text.sparkline(ramp, 40)
  heights = [text.BLOCKS.index(x) for x in line]
  assert len(line) == min(n, 40) and heights == sorted(heights)
  assert heights[0] == 0 and heights[-1] == (7 if n > 1 else 0)
  down = text.sparkline(ramp[::-1], 40)
  assert [text.BLOCKS.index(x) for x in down] == [
    text.BLOCKS.index(x) for x in text.sparkline([-x for x in ramp], 40)
  ]


def test_a_curve_does_not_depend_on_the_unit_and_shows_every_value():
  values = np.random.default_rng(0).normal(size=300)
  line = text.sparkline(values.tolist(), 30)
  assert text.sparkline((values * 8 + 4).tolist(), 30) == line
  means = values.reshape(30, 10).mean(1)
  assert line[means.argmax()] == "█" and line[means.argmin()] == "▁"
  spike = [0.0] * 299
  for at in range(300):
    line = text.sparkline([*spike[:at], 1.0, *spike[at:]], 30)
    assert line.count("█") == 1 and line.count("▁") == 29


def test_curves_of_nothing_of_gaps_and_of_one_value():
  nan = math.nan
  assert text.sparkline([], 9) == "" == text.sparkline([1.0], 0)
  assert text.sparkline([nan, math.inf], 9) == "  "
  assert text.sparkline([2.0, 2.0], 9) == "▁▁"
  assert text.sparkline([0.0, nan, 1.0], 9) == "▁ █"
  assert text.sparkline([0.0, nan, 1.0, 1.0], 2) == "▁█"


def test_a_bar_is_as_full_as_the_share():
  assert text.bar(0, 10) == "▁" * 10 and text.bar(1, 10) == "█" * 10
  assert text.bar(0.3, 10).count("█") == 3
  assert text.bar(7, 4) == "████" and text.bar(-1, 4) == "▁▁▁▁"


def test_the_time_left_is_that_at_the_last_rate(unfinished):
  with lock.hold(unfinished):
    view = read_run(unfinished)
  missing = (view.total - view.images) / view.rate
  assert missing > 0
  assert text.time_left(view, view.total) == text.duration(missing)
  assert (
    text.time_left(read_run(unfinished), view.total) == ""
  )  # it has stopped


def test_folders_without_a_run_are_named_on_one_line(tmp_path, trained, capsys):
  (tmp_path / "empty").mkdir()
  (tmp_path / "file").write_text("")
  for name in ("gone", "empty", "file"):
    assert main(["monitor", f"--workdir={tmp_path / name}"]) == 2
    error = capsys.readouterr().err
    assert name in error and error.count("\n") == 1
  paths = [tmp_path / "gone", trained, tmp_path / "empty"]
  assert main(["monitor", *(f"--workdir={x}" for x in paths)]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert len(lines) == 4 and lines[1].startswith(f"{trained} ")
  assert f"--workdir={tmp_path / 'gone'}" in lines[2]
  assert f"--workdir={tmp_path / 'empty'}" in lines[3]
  missing = [f"--workdir={tmp_path}/{x}" for x in "ab"]
  assert main(["monitor", *missing]) == 2
  error = capsys.readouterr().err
  assert all(x in error for x in missing) and error.count("\n") == 1


def test_it_starts_without_jax_numpy_or_orbax(trained):
  code = (
    "import sys; from jaxgen.cli.main import main;"
    f"main(['monitor', '--workdir={trained}', '--workdir=gone']);"
    f"main(['monitor', '--workdir={trained}']);"
    "print({'jax', 'flax', 'orbax', 'grain', 'numpy'} & set(sys.modules))"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True
  )
  assert done.stdout.endswith("set()\n"), done.stderr


def test_output_that_knows_no_blocks_gets_plain_letters(trained):
  process = start(
    f"--workdir={trained}",
    stdout=subprocess.PIPE,
    env=os.environ | {"PYTHONIOENCODING": "ascii"},
  )
  said = process.communicate(timeout=60)[0].decode("ascii")
  assert process.returncode == 0
  assert "########################" in said and "?" not in said


def test_following_prints_each_change_and_ends_with_the_run(unfinished):
  options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
  process = start(
    f"--workdir={unfinished}", "--follow", "--every=1", text=True, **options
  )
  try:
    assert process.stdout is not None
    first = _block(process.stdout)
    time.sleep(2.5)  # two looks at which nothing is new
    with (unfinished / "metrics.csv").open("a") as file:
      file.write((unfinished / "last line").read_text())
    second = _block(process.stdout)
    (unfinished / "put aside").rename(unfinished / "checkpoints/30")
    rest = process.communicate(timeout=60)[0].strip()
  finally:
    process.kill()
    process.communicate()
  assert process.returncode == 0
  assert "stopped" in first and "step 30 " not in first
  assert "stopped" in second and "step 30 " in second
  assert "finished" in rest and rest.count("progress ") == 1


def _block(stream):
  """The lines up to the preview, which is the last."""
  found = []
  while not found or not found[-1].startswith("preview "):
    found.append(stream.readline())
    assert found[-1], found
  return "".join(found)


def test_ctrl_c_ends_a_live_view_well(unfinished):
  ours, theirs = pty.openpty()
  process = start(
    f"--workdir={unfinished}",
    "--follow",
    "--every=1",
    stdout=theirs,
    stderr=theirs,
    env=os.environ | {"TERM": "xterm", "COLUMNS": "90", "LINES": "40"},
  )
  os.close(theirs)
  try:
    said = b""
    while said.count(b"preview") < 2:  # it has drawn itself again
      said += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    said += os.read(ours, 65536)
  finally:
    process.kill()
    process.wait()
    os.close(ours)
  assert b"\x1b[1A" in said  # in the same place
  assert said.rstrip().endswith(b"\x1b[?25h")  # and the cursor is back
  assert b"Traceback" not in said
