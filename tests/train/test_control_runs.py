"""Runs of ControlNets: the base is copied, is not changed, and is needed."""

import json
import pathlib
import shutil
import signal
from typing import Any

import numpy as np
import pytest
from support.faults import (
  CONTROL,
  DENOISER,
  LATENT,
  command,
  interrupt,
  numbers,
  rows,
  saved,
)
from support.shared import shared_run

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.runs import companions as runs
from jaxgen.workdir.sweep_choice import SWEEP

FAST = {"optimizer.name": "adamw"}  # compiles faster
QUICK: dict[str, Any] = {"sampler": "euler", "steps": 2}


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> pathlib.Path:
  """The workdir of a denoiser; only to be read."""
  return shared_run(
    tmp_path_factory, "base", lambda w: command(w, DENOISER, **FAST)
  )


@pytest.fixture(scope="module")
def steered(origin, tmp_path_factory) -> pathlib.Path:
  """The workdir of a ControlNet on it; only to be read."""
  return shared_run(
    tmp_path_factory, "control", lambda w: controlled(w, origin)
  )


def controlled(workdir, origin) -> list[str]:
  """The command that trains it."""
  return command(workdir, CONTROL, **{"control.base": origin}, **FAST)


def refused(argv: list[str], capsys) -> str:
  """The line that a command is refused with."""
  capsys.readouterr()
  assert main(argv) == 2
  said = capsys.readouterr().err.strip()
  assert len(said.splitlines()) == 1
  return said


def test_what_steers_is_learned_and_the_base_is_not(origin, steered):
  base, copied, run = map(
    jaxgen.load, (origin, steered / "companions/base", steered)
  )
  record = json.loads((steered / "companions/base/companion.json").read_text())
  digest = lambda x: runs.digest(x.experiment, x.params)  # noqa: E731
  assert digest(base) == digest(copied) == record["digest"]
  masks = run.tiles("validation", 3)["mask"]
  expected = base.sample(3, **QUICK)
  np.testing.assert_array_equal(run.sample(3, **QUICK), expected)
  off = run.sample(3, hint=masks, control_scale=0.0, **QUICK)
  np.testing.assert_array_equal(off, expected)
  on = run.sample(3, hint=masks, **QUICK)
  assert np.any(on != expected)
  same = run.sample(3, hint=masks, guidance_weights={"hint": 1.0}, **QUICK)
  assert np.abs(same.astype(int) - on).max() <= 1
  more = run.sample(3, hint=masks, guidance_weights={"hint": 3.0}, **QUICK)
  assert (
    np.abs(more - expected.astype(float)).sum()
    > np.abs(on - expected.astype(float)).sum()
  )


def test_the_hint_gap_is_logged_from_the_first_step(steered):
  first = rows(steered)[0]
  assert first["step"] == first["validation/hint_gap"] == "0"


def test_it_resumes_when_the_base_is_gone(origin, steered, tmp_path):
  base = shutil.copytree(origin, tmp_path / "base")
  workdir, argv = tmp_path / "again", controlled(tmp_path / "again", base)
  thread = interrupt(saved(workdir, 3), signal.SIGTERM)
  assert main(argv) == 128 + signal.SIGTERM
  thread.join()
  base.rename(tmp_path / "moved")
  assert main(argv) == 0
  assert numbers(workdir) == numbers(steered)
  assert rows(workdir) == rows(steered)


def test_a_changed_base_is_refused(origin, steered, tmp_path, capsys):
  workdir = shutil.copytree(steered, tmp_path / "copy")
  folder = workdir / "companions/base/checkpoints"
  files = [x for x in folder.rglob("*") if x.is_file() and "ema" in str(x)]
  largest = max(files, key=lambda x: x.stat().st_size)
  content = bytearray(largest.read_bytes())
  content[len(content) // 2] ^= 1
  largest.write_bytes(content)
  sampling = ["sample", f"--workdir={workdir}", f"--out={tmp_path / 'new'}"]
  for argv in (controlled(workdir, origin), sampling):
    said = refused(argv, capsys)
    assert "companions/base is damaged" in said and str(origin) in said


def test_what_is_no_denoiser_is_refused(steered, tmp_path, capsys):
  said = refused(controlled(tmp_path / "new", steered), capsys)
  assert f"control.base={steered}: expected a finished denoiser" in said
  undecided = tmp_path / "sweep"
  (undecided / "one").mkdir(parents=True)
  (undecided / SWEEP).write_text('{"phases": [{"name": "one"}]}')
  for path in (undecided, undecided / "one"):
    said = refused(controlled(tmp_path / "new", path), capsys)
    assert f"control.base={path}" in said and "no winner yet" in said
  argv = command(tmp_path / "new", LATENT, **{"latent.run": steered})
  assert "expected a finished autoencoder" in refused(argv, capsys)


@pytest.mark.parametrize(
  ("options", "says"),
  [
    ({"control_scale": 0.5}, "control_scale=0.5: expected a hint"),
    ({"control_scale": 2.5}, "control_scale=2.5"),
    ({"hint": np.full((1, 32, 32), 6)}, "expected labels below 6"),
    ({"hint": np.zeros((2, 32, 32), int)}, "one per image"),
    ({"hint": np.zeros((1, 48, 48), int)}, "expected images of 32 x 32"),
  ],
)
def test_hints_that_do_not_fit_are_one_line(steered, options, says):
  with pytest.raises(UserError, match=says):
    jaxgen.load(steered).sample(3, **QUICK, **options)


def test_others_have_no_scale(origin):
  with pytest.raises(UserError, match="control_scale=0.5: expected a Contr"):
    jaxgen.load(origin).sample(3, control_scale=0.5, **QUICK)
