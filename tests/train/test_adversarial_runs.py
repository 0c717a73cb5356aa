"""Runs with a discriminator: from a finished run, resumed, loaded, exported."""

import pathlib
import signal

import numpy as np
import pytest
from support.faults import (
  UPSCALER,
  command,
  interrupt,
  numbers,
  rows,
  saved,
)
from support.shared import shared_run

import jaxgen
from jaxgen.cli.main import main
from jaxgen.sample.upscaler import UpscalerRun
from jaxgen.trees import named

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> pathlib.Path:
  """The workdir of an upscaler; only to be read."""
  return shared_run(
    tmp_path_factory, "upscaler", lambda w: command(w, UPSCALER)
  )


@pytest.fixture(scope="module")
def whole(origin, tmp_path_factory) -> pathlib.Path:
  """The workdir of its adversarial stage; only to be read."""
  return shared_run(
    tmp_path_factory, "adversarial", lambda w: adversarial(w, origin)
  )


def adversarial(workdir, origin) -> list[str]:
  """The command that trains it."""
  return command(
    workdir,
    UPSCALER,
    **{
      "adversarial.weight": "0.1",
      "adversarial.penalty_every": "2",
      "train.init_from": origin,
      "optimizer.name": "adamw",
    },
  )


def same(a, b) -> bool:
  """Whether two runs have the same parameters, by name."""
  left, right = named(a.params), named(b.params)
  return left.keys() == right.keys() and all(
    np.array_equal(left[k], right[k]) for k in left
  )


def test_it_starts_from_the_generator_and_is_loaded_as_one(
  origin, whole, tmp_path
):
  before, after = jaxgen.load(origin, "latest"), jaxgen.load(whole, "latest")
  assert isinstance(after, UpscalerRun)
  assert named(before.params).keys() == named(after.params).keys()
  assert not same(before, after)
  scores = [x["validation/psnr"] for x in rows(whole) if x["validation/psnr"]]
  last = [x["validation/psnr"] for x in rows(origin) if x["validation/psnr"]]
  assert float(scores[0]) == pytest.approx(float(last[-1]), abs=1e-3)
  penalties = [x["discriminator/penalty"] for x in rows(whole)]
  found = [float(x) > 0 for x in penalties if x]
  assert found[1:] == [False, True] * 5 + [False]

  assert main(["export", f"--workdir={whole}", f"--out={tmp_path / 'e'}"]) == 0
  assert same(jaxgen.load(tmp_path / "e"), jaxgen.load(whole))


def test_the_discriminator_has_moments_and_no_average(whole):
  state = numbers(whole)
  params = [k for k in state if k.startswith("['state']['params']")]
  moments = [k for k in state if "'mu'" in k or ".mu" in k]
  for found in (params, moments):
    for player in ("generator", "discriminator"):
      assert any(f"'{player}'" in k for k in found), found
  average = [k for k in state if k.startswith("['ema']")]
  assert average and not any("discriminator" in k for k in average)


@pytest.mark.slow
def test_an_interruption_changes_nothing(origin, whole, tmp_path):
  argv = adversarial(tmp_path, origin)
  thread = interrupt(saved(tmp_path, 3), signal.SIGTERM)
  assert main(argv) == 128 + signal.SIGTERM
  thread.join()
  assert main(argv) == 0
  assert numbers(tmp_path) == numbers(whole)
  assert rows(tmp_path) == rows(whole)
