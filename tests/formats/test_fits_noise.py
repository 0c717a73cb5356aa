"""What headers of FITS files say of the noise."""

import pytest

from jaxgen.formats import fits_noise


def words(**cards):
  header = {k: v if isinstance(v, tuple) else (v, "") for k, v in cards.items()}
  return fits_noise.noise_words(header)


def test_gain_is_electrons_per_number():
  found = words(GAIN=2.5, RDNOISE=7, SATURATE=60000.0, BLKLEVEL=100)
  assert found.gain == pytest.approx(0.4)
  assert (found.read_noise, found.black, found.white) == (7, 100, 60000)
  assert "0.4 DN per electron" in found.notes[0]


@pytest.mark.parametrize("comment", ["ADU/e-", "[DN / electron]", "adu per e"])
def test_a_comment_inverts_the_gain(comment):
  assert words(GAIN=(2.5, comment)).gain == 2.5


def test_the_setting_of_a_dial_is_no_gain():
  assert words(GAIN=120, EGAIN=0.5).gain == 2
  with pytest.raises(ValueError, match="dial"):
    words(GAIN=120)
  assert fits_noise.noise_words({"GAIN": (120, "")}, gain=2.0).gain == 2
  assert words(GAIN=(120, "e-/ADU")).gain == pytest.approx(1 / 120)


@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_no_camera_has_such_a_gain(value):
  with pytest.raises(ValueError, match="GAIN"):
    words(GAIN=value)


def test_no_camera_has_such_a_read_noise():
  with pytest.raises(ValueError, match="RON"):
    words(GAIN=2, RON=-1.0)


def test_what_is_not_said_is_not_known():
  found = words(GAIN="high", BUNIT="electron/s")
  assert found[:4] == (None, None, None, None)
  assert "electron/s" in found.notes[0]
