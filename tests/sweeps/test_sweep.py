"""What a sweep does with what it finds, on outcomes written by hand."""

import pathlib

import pytest

from jaxgen.config.files import load_config, save_config
from jaxgen.errors import RunError
from jaxgen.sweeps import Phase, Sweep, runner, worker
from jaxgen.sweeps import folder as folders
from jaxgen.sweeps.choice import Choice
from jaxgen.sweeps.sweep import Opened

ROOT = pathlib.Path(__file__).parents[2]
WIDTH = "model.width"


@pytest.fixture
def opened(tmp_path):
  """Two phases; both runs of the first are done, and it is decided."""
  sweep = Sweep(
    base="",
    phases=(
      Phase(name="a", runs={"x": {WIDTH: 32}, "y": {WIDTH: 64}}),
      Phase(name="b", runs={"same": {}, "other": {"model.latent_dim": 8}}),
    ),
  )
  base = load_config(f"{ROOT}/configs/rocks_patch_ae.py:smoke", [])
  made = Opened(sweep=sweep, base=base, workdir=tmp_path, say=lambda _: None)
  runs = made.runs(sweep.phases[0]).values()
  for run, mse in zip(runs, (0.2, 0.1), strict=True):
    finish(run, mse)
    assert run.state == "finished"
  made.decide(sweep.phases[0])
  return made


def finish(run, mse):
  """As a run leaves its folder."""
  run.path.mkdir(parents=True, exist_ok=True)
  save_config(run.config, run.path / "config.json")
  run.finish({"mse": mse, "latent_size": 16})


def test_what_an_earlier_phase_has_done_is_not_done_again(opened):
  second = opened.sweep.phases[1]
  runs = opened.runs(second)
  todo = opened.prepare(second, runs, retry=False)
  assert list(todo) == ["other"] and runs["same"].state == "finished"
  assert (opened.workdir / "b/same").resolve() == opened.workdir / "a/y"
  assert runs["same"].outcome["measures"]["mse"] == 0.1


def test_a_new_choice_sets_aside_what_followed_the_old_one(opened):
  first, second = opened.sweep.phases
  runs = opened.runs(second)
  opened.prepare(second, runs, retry=False)
  finish(runs["other"], 0.05)
  chosen = Choice(run="x", reason="", by="person", rule="y")
  folders.write_choice(opened.workdir / "a", chosen, {})
  opened.decide(first)
  again = opened.runs(second)
  assert again["other"].config.model.width == 32
  todo = opened.prepare(second, again, retry=False)
  assert list(todo) == ["other"]
  aside = opened.workdir / "set_aside/b/other.1"
  assert (aside / "outcome.json").exists() and not todo["other"].path.exists()
  assert (opened.workdir / "b/same").resolve() == opened.workdir / "a/x"
  assert (opened.workdir / "a/y/outcome.json").exists()  # a link had gone


def test_a_link_to_what_was_set_aside_is_made_anew(opened):
  second = opened.sweep.phases[1]
  runs = opened.runs(second)
  opened.prepare(second, runs, retry=False)
  (opened.workdir / "a/y").rename(opened.workdir / "gone")
  assert set(opened.prepare(second, runs, retry=False)) == {"same", "other"}
  runs["same"].path.mkdir()


def test_a_failed_run_stays_failed_until_it_is_tried_again(opened):
  second = opened.sweep.phases[1]
  runs = opened.runs(second)
  opened.prepare(second, runs, retry=False)
  runs["other"].fail("no luck")
  assert not opened.prepare(second, runs, retry=False)
  choice = opened.decide(second)  # from what is there
  assert choice.run == "same"
  table = (opened.workdir / "b/metrics.csv").read_text()
  assert "other,failed,8" in table and "no luck" in table
  assert list(opened.prepare(second, runs, retry=True)) == ["other"]
  assert runs["other"].state == "begun"


def test_a_phase_in_which_all_failed_ends_the_sweep(opened):
  first = opened.sweep.phases[0]
  for run in opened.runs(first).values():
    run.fail("disk full")
  with pytest.raises(RunError, match="a: all runs failed; x: disk full"):
    opened.go(parallel=1)


def test_a_phase_that_cannot_be_decided_has_its_report(opened):
  """Latents of a kind that the trade-off needs were not measured."""
  first = opened.sweep.phases[0]
  for run in opened.runs(first).values():
    run.finish({"mse": 0.1})
  with pytest.raises(RunError, match="--choose=a=RUN"):
    opened.decide(first)
  page = (opened.workdir / "a/report.html").read_text()
  assert "No run can be recommended yet" in page


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
  found = [runner.devices(i, parallel, environment) for i in range(parallel)]
  assert found == wanted


def test_more_processes_than_gpus_leave_memory_to_each_other():
  one = {"CUDA_VISIBLE_DEVICES": "0"}
  found = [runner.devices(i, 3, one) for i in range(3)]
  assert all(x["CUDA_VISIBLE_DEVICES"] == "0" for x in found)
  assert all(x["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false" for x in found)


def test_the_last_line_tells_the_error():
  said = "Traceback\n  x\nValueError: no\n\n"
  assert worker.last_line(said) == "ValueError: no"
  assert worker.last_line("") == ""
