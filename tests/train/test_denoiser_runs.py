"""Guarantees of training runs, for denoisers."""

import numpy as np
import pytest
from support.faults import (
  DENOISER,
  LAST,
  assert_same_run,
  command,
  go_on,
  kill_in_a_save,
)
from support.programs import (
  ROUNDING,
  denoiser,
  distance,
  first_batch,
  gradient,
  held_out,
)
from support.shared import shared_run

from jaxgen.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The workdir of a run that nothing disturbed; only to be read."""
  argv = lambda workdir: command(workdir, DENOISER)  # noqa: E731
  return shared_run(tmp_path_factory, "whole-denoiser", argv)


def test_kill_9_changes_nothing(whole, tmp_path):
  kill_in_a_save(tmp_path, command(tmp_path, DENOISER))
  stale = tmp_path / "posthoc_ema" / f"{LAST - 1}.npz"
  stale.write_bytes(b"of a step that is yet to come")
  go_on(command(tmp_path, DENOISER))
  assert_same_run(whole, tmp_path)
  every = {f"{i + 1}.npz" for i in range(LAST)}
  for workdir in (whole, tmp_path):
    assert {p.name for p in workdir.glob("posthoc_ema/*")} == every


def test_another_learning_rate_ends_elsewhere(whole, tmp_path):
  """What the comparison of runs is worth."""
  changed = {"optimizer.learning_rate": 0.0101}
  assert main(command(tmp_path, DENOISER, **changed)) == 0
  with pytest.raises(AssertionError):
    assert_same_run(whole, tmp_path)


@pytest.mark.parametrize("fsdp", [False, True])
def test_the_gradient_is_the_same_on_1_and_8_devices(fsdp):
  one, eight = denoiser(1), denoiser(8, **{"train.fsdp": fsdp})
  batch = first_batch(one)
  assert len(batch) == 5  # the image and its conditions
  assert distance(gradient(eight)(batch), gradient(one)(batch)) < ROUNDING


def test_held_out_metrics_are_the_same_on_1_and_8_devices():
  many = {"data.num_tiles": 512}
  one, eight = (held_out(denoiser(n, **many)) for n in (1, 8))
  assert eight == pytest.approx(one, rel=1e-5)
  assert np.isfinite(one["loss"])
