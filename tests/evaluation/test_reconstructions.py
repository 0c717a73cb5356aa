"""Measures beside reconstructions, of a toy autoencoder."""

import numpy as np
import pytest

import jaxgen
from jaxgen.evaluation.reconstructions import Reconstructions, autoencoder_of
from jaxgen.evaluation.reference import Reference
from jaxgen.metrics.features import Features


def means(images):
  """Mean and deviation of each channel."""
  x = np.asarray(images, float)
  return np.concatenate([x.mean((1, 2)), x.std((1, 2))], -1)


@pytest.fixture(scope="module")
def run(trained):
  return jaxgen.load(trained)


@pytest.fixture(scope="module")
def found(run):
  toy = Features(name="means", extract=means)
  return Reconstructions.of(run, Reference.of(run, toy, 32))


def test_reconstructions_are_beside_themselves(found):
  rows = found.rows()
  plain, noisy = (measures for measures, _ in rows.values())
  assert plain["frechet_over_reconstruction"] == 0
  assert plain["psnr_change"] == plain["color_shift"] == 0
  assert plain["reconstruction_frechet"] == plain["frechet"]
  assert noisy["psnr_change"] < -1 and noisy["psnr"] < plain["psnr"]
  assert list(rows)[0].endswith("reconstructions")


def test_reconstructions_of_the_first_set_are_the_nearest(found):
  own = found.beside(found.features, found.reference.frechet(found.features))
  assert abs(own["frechet_to_reconstructions"]) < 1e-6
  assert own["recall_of_reconstructions"] == 1
  far = found.beside(found.features + 50, 0.0)
  assert far["frechet_to_reconstructions"] > 1e3
  assert far["coverage_of_reconstructions"] == 0


def test_a_shift_of_colors_is_in_steps_of_8_bits(found):
  images = found.images[:8].clip(10, 240)
  base = found.fidelity(images)["color_shift"]
  brighter = images.copy()
  brighter[..., 0] += 3
  measured = found.fidelity(brighter)["color_shift"]
  assert abs(measured - 3) <= base + 1e-6


def test_the_autoencoder_of_a_run(run, denoiser):
  assert autoencoder_of(run) is run
  assert autoencoder_of(jaxgen.load(denoiser)) is None
