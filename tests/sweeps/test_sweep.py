"""Preparation and decision of phases, with outcomes written by hand."""

import pathlib

import pytest

from jaxgen.config.files import load_experiment
from jaxgen.config.parse import parse
from jaxgen.errors import RunError
from jaxgen.sweeps import Phase, Sweep, runner, worker
from jaxgen.sweeps import folder as folders
from jaxgen.sweeps.choice import Choice
from jaxgen.sweeps.sweep import (
  SweepRun,
  decide,
  prepare,
  run_folders,
  run_phases,
)
from jaxgen.workdir import run_config

ROOT = pathlib.Path(__file__).parents[2]
WIDTH = "model.width"


@pytest.fixture
def sweep_run(tmp_path):
  """A sweep of two phases, the first of them finished and decided."""
  sweep = Sweep(
    base="",
    phases=(
      Phase(name="a", runs={"x": {WIDTH: 32}, "y": {WIDTH: 64}}),
      Phase(name="b", runs={"same": {}, "other": {"model.latent_dim": 8}}),
    ),
  )
  base = load_experiment(f"{ROOT}/configs/rocks_patch_ae.py:smoke", [])
  made = SweepRun(
    sweep=sweep,
    bases={"": base.to_dict()},
    workdir=tmp_path,
    log=lambda _: None,
  )
  runs = run_folders(made, sweep.phases[0]).values()
  for run, mse in zip(runs, (0.2, 0.1), strict=True):
    finish(run, mse)
    assert run.state == "finished"
  decide(made, sweep.phases[0])
  return made


def finish(run, mse):
  """Write what a finished run leaves in its folder."""
  run.path.mkdir(parents=True, exist_ok=True)
  run_config.save(run.path, parse(run.config), {})
  run.mark_finished({"mse": mse, "latent_size": 16})


def test_a_run_that_an_earlier_phase_has_done_is_linked(sweep_run):
  second = sweep_run.sweep.phases[1]
  runs = run_folders(sweep_run, second)
  todo = prepare(sweep_run, second, runs=runs, retry_failed=False)
  assert list(todo) == ["other"] and runs["same"].state == "finished"
  assert (sweep_run.workdir / "b/same").resolve() == sweep_run.workdir / "a/y"
  assert runs["same"].outcome["measures"]["mse"] == 0.1


def test_a_new_choice_archives_the_runs_after_the_old_one(sweep_run):
  first, second = sweep_run.sweep.phases
  runs = run_folders(sweep_run, second)
  prepare(sweep_run, second, runs=runs, retry_failed=False)
  finish(runs["other"], 0.05)
  chosen = Choice(run="x", reason="", by="person", rule="y")
  folders.write_choice(sweep_run.workdir / "a", chosen, passed={})
  decide(sweep_run, first)
  renewed = run_folders(sweep_run, second)
  assert renewed["other"].config["model"]["width"] == 32
  todo = prepare(sweep_run, second, runs=renewed, retry_failed=False)
  assert list(todo) == ["other"]
  archived = sweep_run.workdir / "archive/b/other.1"
  assert (archived / "outcome.json").exists() and not todo[
    "other"
  ].path.exists()
  assert (sweep_run.workdir / "b/same").resolve() == sweep_run.workdir / "a/x"
  assert (
    sweep_run.workdir / "a/y/outcome.json"
  ).exists()  # only the link was removed


def test_a_dangling_link_is_removed(sweep_run):
  second = sweep_run.sweep.phases[1]
  runs = run_folders(sweep_run, second)
  prepare(sweep_run, second, runs=runs, retry_failed=False)
  (sweep_run.workdir / "a/y").rename(sweep_run.workdir / "gone")
  assert set(prepare(sweep_run, second, runs=runs, retry_failed=False)) == {
    "same",
    "other",
  }
  runs["same"].path.mkdir()


def test_a_failed_run_stays_failed_until_it_is_retried(sweep_run):
  second = sweep_run.sweep.phases[1]
  runs = run_folders(sweep_run, second)
  prepare(sweep_run, second, runs=runs, retry_failed=False)
  runs["other"].mark_failed("no luck")
  assert not prepare(sweep_run, second, runs=runs, retry_failed=False)
  choice = decide(sweep_run, second)  # among the finished runs
  assert choice.run == "same"
  table = (sweep_run.workdir / "b/metrics.csv").read_text()
  assert "other,failed,8" in table and "no luck" in table
  assert list(prepare(sweep_run, second, runs=runs, retry_failed=True)) == [
    "other"
  ]
  assert runs["other"].state == "started"


def test_a_phase_in_which_all_failed_ends_the_sweep(sweep_run):
  first = sweep_run.sweep.phases[0]
  for run in run_folders(sweep_run, first).values():
    run.mark_failed("disk full")
  with pytest.raises(RunError, match="a: .*x: disk full"):
    run_phases(sweep_run, parallel=1)


def test_a_phase_that_cannot_be_decided_has_its_report(sweep_run):
  """The cost that the trade-off needs was not measured."""
  first = sweep_run.sweep.phases[0]
  for run in run_folders(sweep_run, first).values():
    run.mark_finished({"mse": 0.1})
  with pytest.raises(RunError, match="--choose=a=RUN"):
    decide(sweep_run, first)
  page = (sweep_run.workdir / "a/report.html").read_text()
  assert "Recommended: " not in page


@pytest.mark.parametrize(
  ("visible", "parallel", "wanted"),
  [
    ("3,5", 2, [{"CUDA_VISIBLE_DEVICES": x} for x in ("3", "5")]),
    ("", 2, [{}, {}]),
    ("3,5", 1, [{}]),
  ],
)
def test_processes_share_the_gpus(visible, parallel, wanted):
  environment = {"CUDA_VISIBLE_DEVICES": visible}
  found = [
    runner.devices(i, parallel, environment=environment)
    for i in range(parallel)
  ]
  assert found == wanted


def test_more_processes_than_gpus_do_not_preallocate_memory():
  one = {"CUDA_VISIBLE_DEVICES": "0"}
  found = [runner.devices(i, 3, environment=one) for i in range(3)]
  assert all(x["CUDA_VISIBLE_DEVICES"] == "0" for x in found)
  assert all(x["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false" for x in found)


def test_the_last_line_names_the_error():
  said = "Traceback\n  x\nValueError: no\n\n"
  assert worker.last_line(said) == "ValueError: no"
  assert worker.last_line("") == ""
