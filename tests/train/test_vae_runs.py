"""Guarantees of training runs, for VAEs: the state of beta and of the learning
rate is part of the checkpoint."""

import numpy as np
import pytest
from support.faults import (
  SMALL,
  VAE,
  assert_same_run,
  command,
  go_on,
  kill_in_a_save,
  numbers,
  rows,
  steps,
)
from support.programs import (
  ROUNDING,
  distance,
  first_batch,
  gradient,
  load,
  of_config,
)
from support.shared import shared_run

from jaxgen.cli.main import main
from jaxgen.train import loop
from jaxgen.train.schedule import Events

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The workdir of a run that nothing disturbed; only to be read."""
  argv = lambda workdir: command(workdir, VAE)  # noqa: E731
  return shared_run(tmp_path_factory, "whole-vae", argv)


def test_kill_9_changes_nothing_about_beta_and_the_rate(whole, tmp_path):
  kill_in_a_save(tmp_path, command(tmp_path, VAE))
  go_on(command(tmp_path, VAE))
  assert_same_run(whole, tmp_path)
  assert any("control" in name for name in numbers(tmp_path))


def test_beta_follows_its_share(whole):
  """It starts far below the band, so that each step raises it by as much as the
  rate and the interval say."""
  betas = [float(r["kl/beta"]) for r in rows(whole) if r["kl/beta"]]
  shares = [float(r["kl/share"]) for r in rows(whole) if r["kl/share"]]
  assert max(shares) < 0.03
  images = 32.0 * np.arange(len(betas))
  cool = np.where(images % 128 >= 96, 0.5, 1.0)  # as the toy's config says
  expected = 1e-7 * 1.5 ** np.arange(len(betas)) * cool
  np.testing.assert_allclose(betas, expected, rtol=1e-4)


def test_the_rate_shrinks_where_nothing_gets_better(whole):
  """No evaluation is a hundred decibels better: half after each but the
  first, which has nothing to compare with."""
  found = [float(r["learning_rate"]) for r in rows(whole) if r["learning_rate"]]
  np.testing.assert_allclose(
    found, 0.002 * 0.5 ** np.repeat([0, 0, 1, 2], 3), rtol=1e-5
  )


def test_a_run_that_gets_no_better_stops_early_and_names_the_best(
  tmp_path, capsys
):
  flags = {
    "train.advance": "adaptive",
    "train.advance_window": 96,
    "train.advance_tolerance": 100.0,
    "train.advance_minimum": 0.0,
  }
  assert main(command(tmp_path, VAE, **flags)) == 0
  said = capsys.readouterr().out
  assert "last 96 images: stage 1 of 1 ends." in said
  assert "finished: 192 images, 6 steps" in said
  assert steps(tmp_path)[-1] == 6
  scores = {int(r["step"]): r["validation/psnr"] for r in rows(tmp_path)}
  best = max((k for k in scores if scores[k]), key=lambda k: float(scores[k]))
  assert (f"(checkpoint {best} is the best)" in said) == (best != 6)


def test_the_gradient_is_the_same_on_1_and_8_devices():
  config = load(VAE, SMALL[VAE])
  one, eight = (of_config(config, n)[0] for n in (1, 8))
  batch = first_batch(one)
  assert set(batch) == {"image", "mask", "rock_type"}
  assert distance(gradient(eight)(batch), gradient(one)(batch)) < ROUNDING


def test_the_evaluations_of_every_run_decide_nothing(
  whole, tmp_path, monkeypatch
):
  """With a plateau rule that reduces the rate at every second evaluation."""
  regular = lambda every, total: Events(every=every)  # noqa: E731
  monkeypatch.setattr(loop, "looks", regular)
  assert main(command(tmp_path, VAE)) == 0
  assert numbers(whole) == numbers(tmp_path)
  scores = [[x["validation/psnr"] for x in rows(w)] for w in (whole, tmp_path)]
  assert sum(map(bool, scores[0])) > sum(map(bool, scores[1]))
