"""What the main job promises of its runs, held by runs of VAEs: what moves the
weight of the divergence, and the rate, is a part of the checkpoint."""

import jax
import numpy as np
import pytest
from jaxgen.train.plan import make_plan
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
from support.programs import ROUNDING, distance, first_batch, gradient

from jaxgen.cli.main import main
from jaxgen.config.files import load_config
from jaxgen.tasks import families
from jaxgen.train import plateau
from jaxgen.train.state import gradients


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  """The workdir of a run that nothing disturbed; only to be read."""
  workdir = tmp_path_factory.mktemp("whole") / "run"
  assert main(command(workdir, VAE)) == 0
  return workdir


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
    found, 0.01 * 0.5 ** np.repeat([0, 0, 1, 2], 3), rtol=1e-5
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
  assert "no better in the last 96 images: stage 1 of 1 ends." in said
  assert "finished: 192 images, 6 steps" in said
  assert steps(tmp_path)[-1] == 6
  scores = {int(r["step"]): r["validation/psnr"] for r in rows(tmp_path)}
  best = max((k for k in scores if scores[k]), key=lambda k: float(scores[k]))
  assert (f"(checkpoint {best} is the best)" in said) == (best != 6)


def test_gradients_are_the_same_for_any_number_of_microbatches():
  config = load_config(VAE, ["--config.model.variational=True"])
  names = {"rock_type": tuple("abcdefgh")}
  task = families.build(config, 16, names)
  params = task.init(jax.random.key(0))
  rng = np.random.default_rng(0)
  batch = {
    "image": rng.integers(0, 256, (8, 16, 16, 3), np.uint8),
    "mask": rng.integers(0, 6, (8, 16, 16)),
    "rock_type": rng.integers(0, 8, 8),
  }
  run = jax.jit(
    lambda p, parts: gradients(task.loss, p, batch, jax.random.key(1), parts),
    static_argnums=1,
  )
  (one, whole), (four, split) = run(params, 1), run(params, 4)
  assert float(one["loss"]) == pytest.approx(float(four["loss"]), rel=1e-5)
  for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(split), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_terms_add_up_to_the_loss():
  flags = ["--config.model.variational=True", "--config.kl.beta=0.25"]
  task = families.build(load_config(VAE, flags), 16, {"rock_type": ("a", "b")})
  rng = np.random.default_rng(0)
  batch = {
    "image": rng.integers(0, 256, (4, 16, 16, 3), np.uint8),
    "mask": rng.integers(0, 6, (4, 16, 16)),
    "rock_type": rng.integers(0, 2, 4),
  }
  params = jax.jit(task.init)(jax.random.key(0))
  keys = jax.random.split(jax.random.key(1), 4)
  loss, found = jax.jit(task.loss)(params, batch, keys, 0.5)
  parts = {k: float(v) for k, v in found.items() if k.startswith("weighted/")}
  names = {"mse", "segmentation", "classification", "kl"}
  assert {k.removeprefix("weighted/") for k in parts} == names
  assert sum(parts.values()) == pytest.approx(float(loss), rel=1e-5)
  constant = float(loss) - 0.25 * float(found["kl/cost"])
  assert float(found["loss_constant"]) == pytest.approx(constant, rel=1e-5)
  assert parts["weighted/segmentation"] == pytest.approx(
    0.05 * float(found["loss/segmentation"]), rel=1e-5
  )


def plan(devices):
  flags = [f"--config.{k}={v}" for k, v in SMALL[VAE].items()]
  return make_plan(load_config(VAE, flags), jax.devices()[:devices])


def test_the_gradient_is_the_same_on_1_and_8_devices():
  one, eight = plan(1), plan(8)
  batch = first_batch(one)
  assert set(batch) == {"image", "mask", "rock_type"}
  assert distance(gradient(eight)(batch), gradient(one)(batch)) < ROUNDING


def test_a_stage_begins_without_the_plateaus_of_the_one_before():
  p = plan(1)
  control, learn = p.fresh().control, plateau.learner(p.optimizer)
  for score in (30.0, 20.0, 20.0):  # as of another resolution
    control = learn(control, score)
  assert plateau.factor(control) == 0.25
  control = plateau.anew(p.optimizer, control)
  assert plateau.factor(control) == 1.0
  control = learn(control, 5.0)
  assert plateau.factor(control) == 1.0
  assert "loss" in control
