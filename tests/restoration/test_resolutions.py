"""Tables of restorations, and the resolution recommended by them."""

import dataclasses

import numpy as np
import pytest

from jaxgen.restoration.recommend import Unaffordable, recommend
from jaxgen.restoration.resolutions import Row, Table, decibels, interpolate

SIDE, LEVEL, BACKGROUND, READ_NOISE = 64, 0.3, 1.0, 1.0
PHOTONS = (1.0, 5.0, 20.0, 100.0, 1000.0)


def spectrum(slope, seed=0):
  """The power of the frequencies of a kind of images, as densities."""
  frequency = np.fft.fftfreq(SIDE) * SIDE
  radius = np.hypot(frequency[:, None], frequency[None])
  power = (radius + 1.0) ** -slope
  wiggle = np.random.default_rng(seed).lognormal(0, 0.3, power.shape)
  power = power * wiggle
  return 0.05 * power / power.sum()


def wiener(power, photons, *, factor=1, read_noise=READ_NOISE):
  """The squared error at full resolution of the best linear restoration of sums
  of factor x factor pixels: nothing beyond their Nyquist frequency is seen."""
  variance = photons * LEVEL + BACKGROUND + read_noise**2
  noise = variance / photons**2 / SIDE**2
  frequency = np.abs(np.fft.fftfreq(SIDE))
  low = frequency < 0.5 / factor
  seen = np.outer(low, low)
  return float(np.sum(np.where(seen, power * noise / (power + noise), power)))


def table(power, photons=PHOTONS):
  rows = [
    Row(
      resolution=SIDE // f,
      photons=p,
      mse=wiener(power, p, factor=f),
      seconds=1.0 / f**2,
      bytes=1_000_000 // f**2,
      window_bytes=500_000 // f**2,
    )
    for f in (1, 2, 4)
    for p in photons
  ]
  return Table(
    rows=tuple(rows),
    read_noise=READ_NOISE,
    background=BACKGROUND,
    level=LEVEL,
  )


@pytest.mark.parametrize("slope", [1.5, 2.5, 3.5])
@pytest.mark.parametrize("read_noise", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("preference", ["quality", "balanced"])
def test_regret_is_below_5_percent(slope, read_noise, preference):
  known = table(spectrum(slope))
  held_out = spectrum(slope, seed=1)
  for photons in np.geomspace(4.0, 800.0, 23):
    found = recommend(
      known, photons, read_noise=read_noise, preference=preference
    )
    errors = {
      SIDE // f: wiener(held_out, photons, factor=f, read_noise=read_noise)
      for f in (1, 2, 4)
    }
    assert errors[found.resolution] < 1.05 * min(errors.values())


@pytest.mark.parametrize("max_seconds", [0.07, 0.3])
def test_regret_among_what_is_affordable(max_seconds):
  known, held_out = table(spectrum(2.5)), spectrum(2.5, seed=1)
  for photons in np.geomspace(1.0, 1000.0, 11):
    found = recommend(known, photons, read_noise=1.0, max_seconds=max_seconds)
    assert found.row.seconds <= max_seconds
    able = [f for f in (1, 2, 4) if 1 / f**2 <= max_seconds]
    least = min(wiener(held_out, photons, factor=f) for f in able)
    error = wiener(held_out, photons, factor=SIDE // found.resolution)
    assert error < 1.05 * least


def test_a_worse_network_at_full_resolution_is_not_taken():
  known = table(spectrum(2.5))
  worse = [
    dataclasses.replace(x, mse=3 * x.mse) if x.resolution == SIDE else x
    for x in known.rows
  ]
  known = dataclasses.replace(known, rows=tuple(worse))
  found = recommend(known, 5.0, read_noise=1.0)
  assert (found.resolution, found.best, found.loss) == (32, 32, 0.0)


def test_other_read_noise_is_one_of_equal_noise():
  """Wiener's error depends on the noise in units of the image alone."""
  power = spectrum(2.5)
  photons = np.geomspace(1.0, 1000.0, 400)
  dense = table(power, tuple(photons))
  for p, r in [(30.0, 3.0), (8.0, 0.3), (300.0, 10.0)]:
    row = recommend(dense, p, read_noise=r).row
    assert row.mse == pytest.approx(wiener(power, p, read_noise=r), rel=1e-3)


def test_loss_and_preference():
  known = table(spectrum(4.5))
  best = recommend(known, 100.0, read_noise=1.0)
  fast = recommend(known, 100.0, read_noise=1.0, preference="speed")
  assert best.resolution == 64 and best.loss == 0.0
  assert fast.resolution < 64 and 0 < fast.loss <= 0.5
  expected = decibels(best.row.mse) - decibels(fast.row.mse)
  assert fast.loss == pytest.approx(expected)
  assert "below the best (64 pixels)" in str(fast)


def test_nothing_is_extrapolated():
  known = table(spectrum(2.5))
  for photons, end in [(0.2, 1.0), (9000.0, 1000.0)]:
    found = recommend(known, photons, read_noise=1.0)
    at_end = recommend(known, end, read_noise=1.0)
    assert found.row.mse == pytest.approx(at_end.row.mse)
    assert not at_end.notes
    assert f"the row of {end:g} is taken" in found.notes[0]


def test_measured_rows_are_kept():
  known = table(spectrum(2.5))
  for row in known.rows:
    between = interpolate(known.of(row.resolution), row.photons)
    assert between.mse == pytest.approx(row.mse)


@pytest.mark.parametrize(
  ("limits", "names"),
  [
    ({"max_seconds": 0.01}, ("max_seconds=0.01", "16 pixels", "0.0625 s")),
    ({"max_bytes": 10}, ("max_bytes=10", "16 pixels")),
    (
      {"max_seconds": 9.0, "max_bytes": 1},
      ("max_seconds=9 and max_bytes=1",),
    ),
  ],
)
def test_a_limit_that_cannot_be_met_names_the_cheapest(limits, names):
  with pytest.raises(Unaffordable) as error:
    recommend(table(spectrum(2.5)), 5.0, read_noise=1.0, **limits)
  assert all(x in str(error.value) for x in names)


@pytest.mark.parametrize(
  "wrong",
  [
    {"photons": 0.0},
    {"photons": float("nan")},
    {"read_noise": -1.0},
  ],
)
def test_wrong_numbers_are_named(wrong):
  given = {"photons": 5.0, "read_noise": 1.0} | wrong
  photons = given.pop("photons")
  with pytest.raises(ValueError, match=next(iter(wrong))):
    recommend(table(spectrum(2.5)), photons, **given)


def test_a_table_with_holes_is_refused():
  known = table(spectrum(2.5))
  for rows in ((), known.rows[1:], (*known.rows, known.rows[0])):
    with pytest.raises(ValueError, match="rows"):
      dataclasses.replace(known, rows=rows)
