"""Noise of a single image: a guess."""

import numpy as np
import pytest
from support.cameras import BLACK, GAIN, expose, scene

from jaxgen.restoration import single_image

SCENE = scene(256)


def image(electrons: float, seed: int = 0) -> list[np.ndarray]:
  return [*expose(electrons * SCENE, seed, frames=1)]


@pytest.mark.parametrize("electrons", [5, 20, 60])
def test_few_photons_are_within_the_claimed_error(electrons):
  for seed in range(6):
    line = single_image.transfer(image(electrons, seed), black=BLACK)
    assert abs(line.gain - GAIN) < 3 * line.gain_error
    assert 0.15 < line.gain_error / line.gain < 0.5


def test_edges_are_not_counted():
  stripes = 30.0 * (np.arange(256) // 32 % 2) + 5 + 0 * SCENE
  (values,) = expose(stripes, 0, frames=1)
  line = single_image.transfer([values], black=BLACK)
  true = GAIN * (np.array([105, 165]) - BLACK) + 9
  proxy = np.var(np.diff(values, axis=1)) / 2  # counts every edge
  assert proxy > 1.4 * true.mean()
  found = line.variance(np.array([110.0, 170.0]))
  np.testing.assert_allclose(found, [29, 149], rtol=0.3)


def test_texture_passes_for_noise_of_many_photons():
  rng = np.random.default_rng(0)
  textured = 5000 * SCENE * (1 + 0.05 * rng.standard_normal(SCENE.shape))
  planes = [*expose(textured, 0, frames=1)]
  line = single_image.transfer(planes, black=BLACK)
  assert line.gain > 2 * GAIN
  assert single_image.electrons(planes, line) > single_image.MOST_ELECTRONS


def test_electrons_are_those_of_the_brightest_parts():
  planes = image(50)
  line = single_image.transfer(planes, black=BLACK)
  assert single_image.electrons(planes, line) == pytest.approx(45, rel=0.4)


def test_a_small_image_is_refused():
  with pytest.raises(ValueError, match="levels"):
    single_image.transfer([np.ones((20, 20))])
