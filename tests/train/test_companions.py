"""Runs that lean on other runs: frozen weights, planned memory, and copies."""

import dataclasses
import pathlib
import shutil
import signal
from typing import Any

import jax
import numpy as np
import pytest
from support import companions as stubs
from support.faults import (
  AUTOENCODER,
  LATENT,
  assert_same_run,
  command,
  interrupt,
  saving,
)
from support.programs import (
  ROUNDING,
  distance,
  first_batch,
  gradient,
  held_out,
  on_host,
)
from support.shared import shared_run

import jaxgen
from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.parallel.memory import program_bytes
from jaxgen.planning import cost
from jaxgen.runs import companions as runs
from jaxgen.runs import numbers
from jaxgen.train.companions import say_kept
from jaxgen.train.programs import stage_programs
from jaxgen.train.schedule import stage_schedule
from jaxgen.train.stage import StageProgram
from jaxgen.train.state import to_trees

EXTRA = 1 << 20  # bytes


def program_of(codec, devices: int = 1, **sections) -> StageProgram:
  """The first stage of a denoiser in the latents of a companion."""
  config = stubs.config_of(codec, **sections)
  config.data.num_tiles = 64
  return stage_programs(
    parse(config),
    devices=jax.devices()[:devices],
    names={},
    companions=stubs.companions(codec),
  )[0]


def test_training_leaves_the_companion_as_it_is():
  program = program_of(stubs.small_autoencoder())
  state, before = program.fresh_state(), program.companions.frozen(program.task)
  schedule = stage_schedule(program.experiment, 0)
  start = on_host(state.params)
  batches, scores = program.batches(0), []
  for _ in range(2):
    inputs = program.loss_inputs(state)
    scores.append(program.evaluator(state.ema, inputs))
    state, _ = program.update(state, next(batches), schedule)
  batches.close()
  jax.tree.map(np.testing.assert_array_equal, on_host(state.frozen), before)
  same = jax.tree.map(np.array_equal, on_host(state.params), start)
  assert not all(jax.tree.leaves(same))
  assert all(np.isfinite(x["loss"]) for x in scores)


def test_frozen_weights_are_not_in_checkpoints():
  program = program_of(stubs.small_autoencoder())
  named = jax.tree_util.tree_leaves_with_path(to_trees(program.state_shapes))
  assert not any("frozen" in jax.tree_util.keystr(k) for k, _ in named)


@pytest.mark.slow
@pytest.mark.parametrize("fsdp", [False, True])
def test_the_gradient_is_the_same_on_1_and_8_devices(fsdp):
  codec = stubs.small_autoencoder(width=64)
  one = program_of(codec)
  eight = program_of(codec, 8, train={"fsdp": fsdp})
  shardings = jax.tree.leaves(eight.shardings.frozen)
  assert any(not x.is_fully_replicated for x in shardings) == fsdp
  batch = first_batch(one)
  assert distance(gradient(eight)(batch), gradient(one)(batch)) < ROUNDING
  assert held_out(eight) == pytest.approx(held_out(one), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "fsdp"), [(1, False), (8, True)])
def test_planned_memory_has_the_weights_of_the_companion(devices, fsdp):
  codec = stubs.small_autoencoder()
  more = {**codec.params, "extra": np.zeros(EXTRA // 4, np.float32)}
  larger = dataclasses.replace(codec, params=more)
  pair = [program_of(x, devices, train={"fsdp": fsdp}) for x in (codec, larger)]
  planned, compiled = (
    [f(x) for x in pair]
    for f in (
      lambda x: cost.bytes_of(x.state_shapes),
      lambda x: program_bytes(cost.compile_step(x)),
    )
  )
  share = EXTRA // (devices if fsdp else 1)
  assert planned[1] - planned[0] == share
  assert compiled[1] - compiled[0] == pytest.approx(share, abs=1 << 16)


@pytest.fixture(scope="module")
def origin(whole) -> pathlib.Path:
  """The workdir of an autoencoder; only to be read."""
  return whole


@pytest.fixture(scope="module")
def trained_in_latents(origin, tmp_path_factory) -> pathlib.Path:
  """The workdir of a denoiser of its latents; only to be read."""
  argv = lambda w: in_latents(w, origin)  # noqa: E731
  return shared_run(tmp_path_factory, "latent", argv)


def in_latents(workdir, origin, **changes) -> list[str]:
  """The command that trains it."""
  return command(workdir, LATENT, **{"latent.run": origin} | changes)


def refused(argv: list[str], capsys) -> str:
  """The line that a command is refused with."""
  capsys.readouterr()
  assert main(argv) == 2
  said = capsys.readouterr().err.strip()
  assert len(said.splitlines()) == 1
  return said


def test_a_run_goes_on_when_its_companion_is_gone(
  trained_in_latents, origin, tmp_path, monkeypatch
):
  codec = shutil.copytree(origin, tmp_path / "codec")
  workdir, argv = tmp_path / "again", in_latents(tmp_path / "again", codec)
  thread = interrupt(saving(workdir, 3), signal.SIGTERM)
  assert main(argv) == 128 + signal.SIGTERM
  thread.join()
  measured = workdir / "companions" / "numbers.npz"
  before = measured.read_bytes()
  codec.rename(tmp_path / "moved")
  with monkeypatch.context() as m:
    m.delattr(numbers, "measure")  # never again
    assert main(argv) == 0
  assert measured.read_bytes() == before
  assert_same_run(trained_in_latents, workdir)
  runs_ = [jaxgen.load(x) for x in (trained_in_latents, workdir)]
  options: Any = {"sampler": "euler", "steps": 2}
  first, second = (x.sample(2, **options) for x in runs_)
  np.testing.assert_array_equal(first, second)


def test_a_run_says_that_it_keeps_its_companion(capsys):
  codec = stubs.linear()
  same, other = (
    parse(stubs.config_of(codec, latent={"run": run}))
    for run in (codec.origin, "runs/other")
  )
  say_kept(same, stubs.companions(codec))
  assert not capsys.readouterr().out
  say_kept(other, stubs.companions(codec))
  said = capsys.readouterr().out
  assert said.startswith("latent.run=runs/other") and codec.origin in said


def copy_of(trained: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  return shutil.copytree(trained, tmp_path / "copy")


def sampling(workdir: pathlib.Path) -> list[str]:
  return ["sample", f"--workdir={workdir}", f"--out={workdir / 'new'}"]


def test_a_damaged_copy_is_refused(
  trained_in_latents, origin, tmp_path, capsys
):
  workdir = copy_of(trained_in_latents, tmp_path)
  folder = workdir / "companions" / "codec" / "checkpoints"
  files = [x for x in folder.rglob("*") if x.is_file() and "ema" in str(x)]
  largest = max(files, key=lambda x: x.stat().st_size)
  content = bytearray(largest.read_bytes())
  content[len(content) // 2] ^= 1
  largest.write_bytes(content)
  for argv in (in_latents(workdir, origin), sampling(workdir)):
    said = refused(argv, capsys)
    assert "companions/codec is damaged" in said and str(origin) in said


def test_the_copy_of_another_run_is_refused(
  trained_in_latents, origin, whole, tmp_path, capsys
):
  """As if the folder had been removed, and the origin trained anew."""
  other = tmp_path / "other"
  assert main(command(other, AUTOENCODER, seed=1)) == 0
  config = parse(stubs.config_of(None))
  latent = dataclasses.replace(config.latent, run=str(other))
  renewed = dataclasses.replace(config, latent=latent)
  (tmp_path / "fresh").mkdir()
  runs.adopt(renewed, tmp_path / "fresh")
  workdir = copy_of(trained_in_latents, tmp_path)
  copy = workdir / "companions" / "codec"
  shutil.rmtree(copy)
  shutil.copytree(tmp_path / "fresh" / "companions" / "codec", copy)
  for argv in (in_latents(workdir, origin), sampling(workdir)):
    assert "companions/codec is not what this run" in refused(argv, capsys)


def test_other_numbers_or_none_are_refused(
  trained_in_latents, origin, tmp_path, capsys
):
  workdir = copy_of(trained_in_latents, tmp_path)
  path = workdir / "companions" / "numbers.npz"
  with np.load(path) as file:
    found = dict(file)
  np.savez(path, **found | {"mean": found["mean"] + 1})
  for argv in (in_latents(workdir, origin), sampling(workdir)):
    assert "companions/numbers is not what this run" in refused(argv, capsys)
  path.unlink()
  said = refused(sampling(workdir), capsys)
  assert "companions/numbers.npz is missing" in said


def test_a_run_that_is_killed_in_the_copy_copies_again(
  trained_in_latents, origin, tmp_path, monkeypatch
):
  workdir, argv = tmp_path / "killed", in_latents(tmp_path / "killed", origin)

  def killed(*args):
    raise KeyboardInterrupt

  with monkeypatch.context() as m:
    m.setattr(runs, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
      runs.adopt(parse(config_with(origin)), workdir)
  copy = workdir / "companions" / "codec"
  assert (copy / "checkpoints").is_dir()
  assert not (copy / "companion.json").exists()
  assert main(argv) == 0
  assert (copy / "companion.json").exists()
  assert_same_run(trained_in_latents, workdir)


def test_a_start_that_failed_leaves_no_companion_to_the_next(
  whole, origin, tmp_path
):
  workdir = tmp_path / "failed"
  workdir.mkdir()
  first = runs.adopt(parse(config_with(whole)), workdir)
  second = runs.adopt(parse(config_with(origin)), workdir)
  assert first.runs["codec"].origin == str(whole)
  assert second.runs["codec"].origin == str(origin)
  (workdir / "checkpoints" / "1").mkdir(parents=True)
  moved = runs.adopt(parse(config_with(whole)), workdir)
  assert moved.runs["codec"].origin == str(origin)


def config_with(origin: pathlib.Path):
  config = stubs.config_of(None)
  config.latent.run = str(origin)
  return config


@pytest.mark.parametrize("wrong", ["no_such_run", "latents"])
def test_what_is_no_finished_autoencoder_is_refused(
  wrong, trained_in_latents, tmp_path, capsys
):
  run = trained_in_latents if wrong == "latents" else tmp_path / wrong
  said = refused(in_latents(tmp_path / "new", run), capsys)
  assert f"latent.run={run}" in said
  assert not (tmp_path / "new" / "companions" / "codec").exists()
