import contextlib
import dataclasses
import functools
import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.faults import (
  LAST,
  assert_same_run,
  command,
  full_disk,
  numbers,
  rows,
  steps,
)

import jaxgen
from jaxgen.cli.main import main
from jaxgen.data import sources
from jaxgen.train import stage
from jaxgen.train.schedule import Events
from jaxgen.workdir import checkpoints


def fault(monkeypatch, wrap) -> None:
  """Have `wrap(make_update, ...)` instead of the update of the state."""
  make = stage.make_update
  monkeypatch.setattr(stage, "make_update", lambda *a, **k: wrap(make, *a, **k))


def nan_in(update: int):
  """For `fault`: the loss is not a number in one update, counted from 1."""

  def wrap(make, task, *args, key, **options):
    poison = jax.random.fold_in(jax.random.fold_in(key, update - 1), 0)

    def bad(params, batch, keys, inputs):
      value, metrics = task.loss(params, batch, keys, inputs)
      there = jax.random.key_data(keys[0]) == jax.random.key_data(poison)
      return value * jnp.where(there.all(), jnp.nan, 1.0), metrics

    return make(dataclasses.replace(task, loss=bad), *args, key=key, **options)

  return wrap


def overflow_in(update: int):
  """For `fault`: parameters overflow although loss and gradient are finite."""

  def wrap(make, *args, **options):
    step = make(*args, **options)

    def bad(state, batch, schedule):
      new, metrics = step(state, batch, schedule)
      large = jnp.where(new.step == update, jnp.inf, 1.0)
      params = jax.tree.map(lambda p: p * large, new.params)
      return dataclasses.replace(new, params=params), metrics

    return bad

  return wrap


@pytest.mark.parametrize("every", [0, 1, 7, 32, 33, 100])
@pytest.mark.parametrize("batch", [1, 32, 64])
def test_what_is_due_is_due_at_the_first_step_that_reaches_it(every, batch):
  seen = [batch * step for step in range(1, 200)]
  marks = range(every, seen[-1] + 1, every) if every else ()
  first = {-(-mark // batch) * batch for mark in marks}
  events = Events(every=every)
  assert {x for x in seen if events.due(x, batch)} == first


def test_a_finished_run_says_so_and_is_left_as_it_is(copy_of_whole, capsys):
  kept = ("checkpoints", "checksums", "latents", "samples")
  files = lambda: {  # noqa: E731
    p: (p.stat().st_mtime_ns, p.read_bytes())
    for p in copy_of_whole.rglob("*")
    if p.is_file() and p.relative_to(copy_of_whole).parts[0] in kept
  }
  before, logged = files(), rows(copy_of_whole)
  assert main(command(copy_of_whole)) == 0
  assert f"finished: 384 images, {LAST} steps" in capsys.readouterr().out
  assert files() == before and rows(copy_of_whole) == logged


def test_a_death_before_the_latents_were_written_is_made_good(
  whole, copy_of_whole
):
  shutil.rmtree(copy_of_whole / "latents")
  assert main(command(copy_of_whole)) == 0
  assert_same_run(whole, copy_of_whole)


def test_load_takes_the_best_the_latest_or_any_checkpoint(copy_of_whole):

  assert steps(copy_of_whole) == [LAST - 1, LAST]
  for checkpoint, step in (
    ("best", LAST),
    ("latest", LAST),
    (LAST - 1, LAST - 1),
  ):
    run = jaxgen.load(copy_of_whole, checkpoint)
    assert run.step == step
    want = numbers(copy_of_whole, step)
    for path, leaf in jax.tree_util.tree_leaves_with_path(run.params):
      key = "['ema']" + jax.tree_util.keystr(path)
      assert np.asarray(leaf).tobytes() == want[key]


@pytest.mark.slow
def test_a_seam_of_stages_where_a_save_is_due(tmp_path):
  """The end of a stage saves and evaluates; the next must not do it again."""
  stages = {
    "stages.resolution": "(32,32)",
    "stages.images": "(96,96)",
    "stages.batch_size": "(32,16)",
    "stages.accumulate": "(1,1)",
    "train.save_images": 96,
    "train.evaluate_images": 96,
  }
  assert main(command(tmp_path, **stages)) == 0
  assert steps(tmp_path) == [3, 9]
  logged = [int(row["step"]) for row in rows(tmp_path)]
  assert logged == [1, 2, 3, 5, 6, 7, 9]
  scored = [row["step"] for row in rows(tmp_path) if row["validation/psnr"]]
  assert scored == ["1", "2", "3", "6", "9"]  # 1, 2 and 6: as in every run


@pytest.mark.slow
def test_a_run_may_go_on_with_fewer_stages(tmp_path, capsys):
  two = {k: f"({v}, {v})" for k, v in (("resolution", 32), ("images", 64))}
  two |= {"batch_size": "(32, 32)", "accumulate": "(1, 1)"}
  flags = {f"stages.{k}": v for k, v in two.items()}
  assert main(command(tmp_path, **flags)) == 0
  one = command(tmp_path, **{"stages.images": "(192,)"})
  assert main([*one, "--allow_config_change"]) == 0
  said = capsys.readouterr().out
  assert "resuming at step 4" in said and steps(tmp_path)[-1] == 6


def test_nan_stops_the_run_at_its_step_and_keeps_the_last_good(
  whole, tmp_path, monkeypatch, capsys
):
  """Also between two saves: updates 3 and 6 are saved."""
  rare = {"train.save_images": 96}
  with monkeypatch.context() as bad:
    fault(bad, nan_in(5))
    assert main(command(tmp_path, **rare)) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: step 5: loss nan, gradient norm nan")
    assert "checkpoint 3 is the last good one" in error
    assert error.count("\n") == 1
    assert steps(tmp_path) == [3]
    skip = command(tmp_path, **rare, **{"train.on_nan": "skip"})
    assert main([*skip, "--allow_config_change"]) == 0
  said = capsys.readouterr().out
  assert "resuming at step 3" in said
  assert "1 non-finite updates were skipped." in said
  assert [r["skipped"] for r in rows(tmp_path)] == ["0"] * 4 + ["1"] * 8
  there, here = numbers(tmp_path), numbers(whole)
  assert there.keys() == here.keys() and there != here
  for name, value in there.items():
    if "params" in name or "ema" in name:
      assert np.isfinite(np.frombuffer(value, np.float32)).all()


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_no_checkpoint_holds_what_is_not_finite(
  tmp_path, monkeypatch, capsys, policy
):
  fault(monkeypatch, overflow_in(4))
  assert main(command(tmp_path, **{"train.on_nan": policy})) == 1
  error = capsys.readouterr().err
  assert "checkpoint 3 is the last good one" in error and "step 4" in error
  assert steps(tmp_path)[-1] == 3


@pytest.mark.slow
def test_a_run_that_skips_all_updates_ends(tmp_path, capsys):
  """A learning rate beyond all reason, by the command line."""
  reckless = {"optimizer.learning_rate": 1e30, "train.save_images": 96}
  assert main(command(tmp_path, **reckless)) == 1
  assert "step 2: loss nan" in capsys.readouterr().err
  skip = command(tmp_path, **reckless, **{"train.on_nan": "skip"})
  assert main([*skip, "--allow_config_change"]) == 1
  assert "held-out psnr is nan" in capsys.readouterr().err
  assert steps(tmp_path) == []


def test_a_disk_that_fills_up_ends_the_run_and_room_lets_it_go_on(
  whole, tmp_path, monkeypatch, capfd
):
  full = contextlib.ExitStack()
  save = checkpoints.Checkpoints.save

  def fill(self, step, *args, **options):
    if step == 5:
      self.wait()
      full.enter_context(full_disk(20_000))
    save(self, step, *args, **options)

  with monkeypatch.context() as filling, full:
    filling.setattr(checkpoints.Checkpoints, "save", fill)
    assert main(command(tmp_path)) == 1
  error = capfd.readouterr().err
  assert error.startswith("error: checkpoint 5 could not be written (File too")
  assert error.count("\n") == 1
  assert steps(tmp_path) == [3, 4]
  # In a copy: threads of this process may still write to what it left.
  room = tmp_path.with_name("room")
  shutil.copytree(tmp_path, room, ignore=shutil.ignore_patterns("*-tmp"))
  assert main(command(room)) == 0
  assert "resuming at step 4" in capfd.readouterr().out
  assert_same_run(whole, room)


def test_other_data_are_refused(copy_of_whole, monkeypatch, capsys):
  source: Any = sources.build

  @functools.lru_cache
  def other(*args):
    return dataclasses.replace(source(*args), fingerprint="other")

  monkeypatch.setattr(sources, "build", other)
  assert main(command(copy_of_whole)) == 2
  assert "data.source=" in capsys.readouterr().err
  assert main([*command(copy_of_whole), "--allow_config_change"]) == 0


def test_a_misfit_leaves_the_workdir_as_it_was(copy_of_whole, capsys):
  wider = [
    *command(copy_of_whole, **{"model.width": 64}),
    "--allow_config_change",
  ]
  assert main(wider) == 2
  assert "does not fit the config" in capsys.readouterr().err
  assert main(command(copy_of_whole)) == 0


@pytest.mark.parametrize("name", ["tensorboard", "latents", "samples"])
def test_a_file_in_the_way_ends_in_one_line(copy_of_whole, capsys, name):
  """And no checkpoint is lost by it."""
  shutil.rmtree(copy_of_whole / name, ignore_errors=True)
  (copy_of_whole / name).write_text("in the way")
  more = command(copy_of_whole, **{"stages.images": "(416,)"})
  assert main([*more, "--allow_config_change"]) == 1
  error = capsys.readouterr().err
  assert (
    error.startswith(f"error: {copy_of_whole / name}")
    and error.count("\n") == 1
  )
  assert set(steps(copy_of_whole)) >= {LAST}
  (copy_of_whole / name).unlink()
  assert main([*more, "--allow_config_change"]) == 0
  assert steps(copy_of_whole)[-1] == LAST + 1


def test_every_run_has_evaluations_and_previews(whole):
  scored = [row["step"] for row in rows(whole) if row["validation/psnr"]]
  assert scored == ["1", "3", "6", "9", "12"]
  previews = sorted(x.name for x in (whole / "samples").iterdir())
  assert previews == [f"{int(step):08}.png" for step in scored]


@pytest.mark.slow
def test_a_profile_of_training_lies_in_the_workdir(tmp_path, capsys):
  assert main([*command(tmp_path), "--profile=2,3"]) == 0
  assert "step 2 to 4 traced" in capsys.readouterr().out
  assert list((tmp_path / "profile").rglob("*.xplane.pb"))
