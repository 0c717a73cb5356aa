"""From lines and darks to a calibration."""

import numpy as np
import pytest
from support.cameras import BLACK, GAIN, READ_NOISE, expose, scene

from jaxgen.restoration import calibration, darks, transfer_bins
from jaxgen.restoration.photon_transfer import photon_transfer


def line_of(electrons, seed=0, **known):
  frames = expose(electrons * scene(), seed)
  return photon_transfer([transfer_bins.scene(frames)], **known)


@pytest.mark.parametrize("electrons", [5, 100])
def test_the_read_noise_is_in_electrons_and_its_error_honest(electrons):
  for seed in range(6):
    found = calibration.from_transfer(
      line_of(electrons, seed, black=BLACK),
      method="m",
      black=BLACK,
      rounded=True,
    )
    assert found.read_noise and found.read_noise_error
    off = abs(found.read_noise - READ_NOISE)
    assert off < 3 * found.read_noise_error < 1.5


def test_darks_tell_black_and_read_noise():
  dark = darks.measure(expose(np.zeros((60, 60)), 1, frames=16))
  line = line_of(300, darks=dark.bins, black=dark.black)
  found = calibration.from_transfer(line, method="m", darks=dark, rounded=True)
  assert found.black == pytest.approx(BLACK, abs=0.1)
  assert found.read_noise == pytest.approx(READ_NOISE, rel=0.02)
  assert not found.warnings


def test_without_black_the_variance_is_still_right():
  found = calibration.from_transfer(line_of(50), method="m", rounded=True)
  assert found.read_noise == 0 and "black" in found.warnings[-1]
  assert found.gain
  variance = found.gain * (180 - found.black)
  assert variance == pytest.approx(GAIN * 80 + 9, rel=0.05)


def test_darks_alone_do_not_tell_the_gain():
  dark = darks.measure(expose(np.zeros((60, 60)), 1, frames=4))
  alone = calibration.from_darks(dark, gain=None)
  assert alone.gain is None and alone.read_noise is None
  assert any("gain" in x for x in alone.warnings)
  known = calibration.from_darks(dark, gain=GAIN, rounded=True)
  assert known.read_noise == pytest.approx(READ_NOISE, rel=0.03)


def test_a_wrong_black_level_is_doubted():
  found = calibration.from_transfer(
    line_of(50, black=BLACK - 40), method="m", black=BLACK - 40
  )
  assert found.read_noise == 0
  assert any("black" in x for x in found.warnings)


def test_noise_that_does_not_grow_is_refused():
  rng = np.random.default_rng(0)
  frames = rng.normal(np.linspace(0, 99, 99), 3, (2, 99, 99))
  frames[:, :, 50:] *= 0.5
  line = photon_transfer([transfer_bins.scene(frames)])
  line = line._replace(gain=-abs(line.gain))
  with pytest.raises(ValueError, match="above 0"):
    calibration.from_transfer(line, method="m")
