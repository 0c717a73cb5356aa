"""Runs with several stages: killed, resumed, adaptive, invalid."""

import csv
import shutil

import numpy as np
import pytest
from support.faults import (
  SLOW,
  command,
  numbers,
  rows,
  saved,
  start,
  steps,
  wait_for,
)
from support.shared import shared_run
from support.staged import STAGES, TWO

import jaxgen
from jaxgen.cli.main import main
from jaxgen.trees import named

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The workdir of a run of three resolutions that nothing disturbed."""
  argv = lambda workdir: command(workdir, **STAGES)  # noqa: E731
  return shared_run(tmp_path_factory, "stages", argv)


def kill_after(argv, there):
  """Kill a run as soon as `there()`."""
  process = start(argv)
  try:
    wait_for(there, process)
  finally:
    process.kill()
    process.communicate()


def test_a_run_killed_in_its_second_stage_resumes_bit_for_bit(whole, tmp_path):
  kill_after(command(tmp_path, **STAGES), saved(tmp_path, 6))
  assert 6 <= steps(tmp_path)[-1] < 12
  again = start(command(tmp_path, **STAGES))
  said = again.communicate(timeout=SLOW)[0]
  assert again.returncode == 0, said
  assert numbers(whole) == numbers(tmp_path) and rows(whole) == rows(tmp_path)


def test_a_run_resumes_across_a_boundary_bit_for_bit(tmp_path):
  """Ended where a stage ends, by a config of fewer stages."""
  first = {k: v.split(",")[0].strip("()") for k, v in TWO.items()}
  first = {k: f"({v},)" if v else "()" for k, v in first.items()}
  rate = "optimizer.schedule"
  one = command(tmp_path / "run", **first, **{rate: "constant"})
  all_ = command(tmp_path / "run", **TWO, **{rate: "constant"})
  assert main(one) == 0
  assert main([*all_, "--allow_config_change"]) == 0
  at_once = tmp_path / "other"
  assert main(command(at_once, **TWO, **{rate: "constant"})) == 0
  assert numbers(tmp_path / "run", 8) == numbers(at_once, 8)


def test_the_log_and_the_samples_know_their_stage(whole):
  with (whole / "metrics.csv").open() as file:
    found = [(r["stage"], r["resolution"]) for r in csv.DictReader(file)]
  assert found == [("1", "16")] * 4 + [("2", "24")] * 4 + [("3", "32")] * 4
  run = jaxgen.load(whole)  # the best is one of the last stage
  assert run.image_shape == (32, 32, 1) and run.sample(2).shape[1] == 32
  assert run.step > 8
  early = jaxgen.load(whole, 8) if 8 in steps(whole) else None
  assert early is None or early.image_shape == (24, 24, 1)


def test_previews_carry_their_stage(whole):
  names = [p.stem for p in (whole / "samples").iterdir()]
  parts = [name.split("_stage") for name in names]
  found = {(int(step), int(stage)) for step, stage in parts}
  assert {(4, 1), (8, 2), (12, 3)} <= found
  assert all(4 * stage - 4 < step <= 4 * stage for step, stage in found)


def test_another_run_lends_its_weights(whole, tmp_path, capsys):
  flags = {k: v for k, v in STAGES.items() if "images" not in k}
  flags |= {"stages.resolution": "(48,)", "stages.patch_size": "(6,)"}
  flags |= {"stages.images": "(32,)", "optimizer.learning_rate": "1e-9"}
  flags |= {"optimizer.adam_learning_rate": "1e-9"}
  argv = command(tmp_path, **flags, **{"train.init_from": whole})
  assert main(argv) == 0
  assert f"weights of {whole}" in capsys.readouterr().out
  ours, theirs = jaxgen.load(tmp_path), jaxgen.load(whole)
  for name in ("position_in", "latent_in/kernel"):
    a, b = (named(run.params)[name] for run in (ours, theirs))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_run_that_is_not_there_lends_nothing(tmp_path, capsys):
  bad = command(tmp_path / "x", **{"train.init_from": tmp_path / "nowhere"})
  assert main(bad) == 2 and "nowhere" in capsys.readouterr().err


def test_an_adaptive_run_decides_the_same_when_it_is_resumed(tmp_path):
  """With a tolerance that no training meets each stage ends at its minimum."""
  flags = TWO | {
    "train.advance": "adaptive",
    "train.advance_tolerance": 100.0,
    "train.advance_window": 32,
    "train.advance_minimum": 0.5,
    "train.evaluate_images": 32,
  }
  assert main(command(tmp_path / "a", **flags)) == 0
  ended = [r for r in rows(tmp_path / "a") if r["stage"] == "2"]
  assert ended[0]["images"] == "96" and len(ended) == 2
  other = tmp_path / "b"
  kill_after(command(other, **flags), saved(other, 3))
  assert main(command(other, **flags)) == 0
  assert rows(other) == rows(tmp_path / "a")
  last = steps(other)[-1]
  assert numbers(other, last) == numbers(tmp_path / "a", last)


def test_a_stage_that_cannot_follow_is_refused_before_anything_is_trained(
  tmp_path, capsys
):
  flags = STAGES | {"stages.resolution": "(16,25,32)"}
  assert main(command(tmp_path, **flags)) == 2
  assert "stage 2 (stages.resolution=25" in capsys.readouterr().err


def test_a_finished_stage_is_not_gone_back_to(whole, tmp_path, capsys):
  shutil.copytree(whole, tmp_path / "run")
  longer = STAGES | {"stages.images": "(512,128,128)"}
  argv = command(tmp_path / "run", **longer)
  assert main([*argv, "--allow_config_change"]) == 2
  assert "stages.images:" in capsys.readouterr().err


def test_another_network_does_not_lend_its_weights(trained, tmp_path, capsys):
  flags = {"train.init_from": trained, "model.width": "64"}
  assert main(command(tmp_path, **flags)) == 2
  assert (
    "model" in (said := capsys.readouterr().err)
    and "width=64, expected 32" in said
  )
