"""Gain and read noise from exposures of simulated cameras."""

import numpy as np
import pytest
from support.cameras import BLACK, GAIN, READ_NOISE, expose, scene

from jaxgen.restoration import transfer_bins
from jaxgen.restoration.photon_transfer import Transfer, fit, photon_transfer
from jaxgen.restoration.transfer_bins import Bins

SURE = 3  # claimed errors
DRAWS = 6


def line_of(frames, **known) -> Transfer:
  return photon_transfer([transfer_bins.scene(frames)], **known)


def variance_at_black(line: Transfer) -> tuple[float, float]:
  way = np.array([BLACK, 1.0])
  value = line.gain * BLACK + line.intercept - 1 / 12
  return value, float(np.sqrt(way @ line.covariance @ way))


@pytest.mark.parametrize("electrons", [5, 20, 200, 5000])
def test_errors_are_honest(electrons):
  for seed in range(DRAWS):
    line = line_of(expose(electrons * scene(), seed), black=BLACK)
    assert abs(line.gain - GAIN) < SURE * line.gain_error
    value, error = variance_at_black(line)
    assert abs(value - (GAIN * READ_NOISE) ** 2) < SURE * error
    assert 0.5 < line.chi_squared < 2


@pytest.mark.parametrize("electrons", [20, 200])
def test_errors_are_not_too_large(electrons):
  lines = [
    line_of(expose(electrons * scene(), seed), black=BLACK)
    for seed in range(12)
  ]
  spread = np.std([x.gain for x in lines])
  claimed = np.mean([x.gain_error for x in lines])
  assert 0.5 < claimed / spread < 3


def test_bins_by_the_pixel_itself_would_halve_the_gain():
  frames = expose(20 * scene(), 0)
  means = frames.mean(0).ravel()
  labels = np.searchsorted(np.quantile(means, np.linspace(0, 1, 21)), means)
  own = transfer_bins.Scene(
    means, (frames - frames.mean(0)).reshape(2, -1), labels, 0.0
  )
  diluted = photon_transfer([own]).gain
  assert diluted < 0.9 * GAIN < line_of(frames).gain


def test_more_exposures_tell_more():
  few, many = (
    line_of(expose(50 * scene(), 0, frames=k), black=BLACK) for k in (2, 8)
  )
  assert many.gain_error < 0.6 * few.gain_error
  assert abs(many.gain - GAIN) < SURE * many.gain_error


def test_cosmic_rays_and_dead_pixels_do_not_matter():
  frames = expose(50 * scene(), 0)
  rng = np.random.default_rng(1)
  hit = rng.random(frames.shape) < 1e-3
  frames[hit] += rng.uniform(200, 5000, int(hit.sum()))
  frames[:, 3, 5] = np.nan
  line = line_of(frames, black=BLACK)
  assert abs(line.gain - GAIN) < SURE * line.gain_error
  assert line.gain_error < 0.1


def test_scenes_are_joined():
  scenes = [transfer_bins.scene(expose(n * scene(), n)) for n in (20, 100, 500)]
  line = photon_transfer(scenes, black=BLACK)
  assert abs(line.gain - GAIN) < SURE * line.gain_error
  assert len(line.bins.level) > len(photon_transfer(scenes[:1]).bins.level)


def test_darks_hold_the_line_at_black():
  darks = Bins(*(np.array([x]) for x in (BLACK, 9.0 + 1 / 12, 25600, 8)))
  frames = expose(500 * scene(), 0)
  free = line_of(frames, black=BLACK)
  held = line_of(frames, black=BLACK, darks=darks)
  assert variance_at_black(held)[1] < 0.2 * variance_at_black(free)[1]
  assert abs(held.gain - GAIN) < SURE * held.gain_error


def test_an_exact_line_is_found():
  level = np.linspace(100, 500, 9)
  bins = Bins(level, 3 * level + 7, np.full(9, 1000), np.full(9, 2))
  line = fit(bins)
  assert line.gain == pytest.approx(3)
  assert line.intercept == pytest.approx(7)
  assert line.chi_squared == pytest.approx(0, abs=1e-12)


def test_a_curve_has_a_large_chi_squared():
  frames = np.rint(expose(2000 * scene(), 0) ** 2 / 4200)
  assert line_of(frames).chi_squared > 5


def test_too_few_pixels_are_refused():
  with pytest.raises(ValueError, match="2 or more levels"):
    line_of(np.random.default_rng(0).normal(size=(2, 6, 6)))
