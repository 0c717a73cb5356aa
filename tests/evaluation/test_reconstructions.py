"""Measures beside reconstructions, of a toy autoencoder."""

import dataclasses

import numpy as np
import pytest

import jaxgen
from jaxgen.evaluation.reconstructions import (
  PAINTS,
  Reconstructions,
  autoencoder_of,
  painted_rows,
)
from jaxgen.evaluation.reference import Reference
from jaxgen.images import normalize
from jaxgen.laws import hybrid
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


def test_pca_is_the_best_that_is_linear(found):
  """With all dimensions of the tiles it gives them back; and it has no more
  than the latents."""
  tiles = np.asarray(normalize(found.reference.floor_tiles["image"]))
  every = dataclasses.replace(found, latent_size=len(tiles))
  ((name, (measures, images)),) = every.pca_rows(tiles).items()
  assert name.endswith(f"{len(tiles) - 1} dimensions")
  np.testing.assert_array_equal(images, found.reference.floor_tiles["image"])
  floor = found.reference.measure_floor()
  assert measures["frechet"] == pytest.approx(floor["frechet"])
  few = dataclasses.replace(found, latent_size=4)
  ((name, (measures, images)),) = few.pca_rows(tiles).items()
  assert name == "PCA reconstructions, 4 dimensions"
  shift = images - found.images.astype(float)
  assert measures["psnr_change"] != 0 and np.abs(shift).max() > 0


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


def test_what_paints_of_the_exact_posterior_cost():
  """One doubles the squared error, the mean of n adds a fraction 1 / n."""
  run = hybrid.hybrid()
  images = hybrid.images(128)
  tiles, others = ({"image": x} for x in (images[:64], images[64:]))
  reference = Reference(
    network=Features(name="means", extract=means),
    tiles=tiles,
    floor_tiles=others,
    features=means(tiles["image"]),
    floor_features=means(others["image"]),
    names={},
    overlap=False,
  )
  assert autoencoder_of(run) is run.autoencoder
  found = Reconstructions.of(run.autoencoder, reference)
  rows = painted_rows(run, found, name="it", seed=0, batch=64)
  (once, painted), (mean, _) = rows.values()
  assert painted.shape == others["image"].shape
  assert once["psnr_change"] == pytest.approx(-3.01, abs=0.4)
  lost = -10 * np.log10(1 + 1 / PAINTS)
  assert mean["psnr_change"] == pytest.approx(lost, abs=0.12)
  assert once["color_shift"] < 2 and "frechet" not in mean
