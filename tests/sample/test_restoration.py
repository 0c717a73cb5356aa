"""Restoration by runs whose denoisers have a closed form."""

from typing import Any

import numpy as np
import pytest
from support.analytic_run import MEAN, STD, analytic_run

from jaxgen.diffusion import analytic
from jaxgen.errors import UserError
from jaxgen.restoration import image_noise, sensor_numbers

CAMERA: dict[str, Any] = {"gain": 2.0, "read_noise": 1.5, "black": 100.0}
WHITE, SKY = 40.0, 1.0  # electrons
SCALED: dict[str, Any] = {**CAMERA, "scale": WHITE, "background": SKY}


def present(values: np.ndarray | None) -> np.ndarray:
  assert values is not None
  return values


def scene(n=3, side=8, channels=1, seed=0):
  """Images of the prior, and their counts."""
  rng = np.random.default_rng(seed)
  x = np.maximum(rng.normal(MEAN, STD, (n, side, side, channels)), -1)
  electrons = rng.poisson(WHITE / 2 * (x + 1) + SKY)
  electrons = electrons + rng.normal(0, CAMERA["read_noise"], x.shape)
  return x, CAMERA["gain"] * electrons + CAMERA["black"]


def as_images(numbers):
  electrons = (numbers - CAMERA["black"]) / CAMERA["gain"]
  return (electrons - SKY) / (WHITE / 2) - 1


def posterior(counts):
  """The posterior of Gaussian pixels, with the variance by a pilot's answer
  (the mean precision of the image)."""
  u = as_images(counts)
  half, read = WHITE / 2, CAMERA["read_noise"] ** 2
  rate = np.nanmean((counts - 100) / 2, (1, 2, 3), keepdims=True)
  flat = half**2 / (rate + read)
  pilot = (MEAN / STD**2 + flat * u) / (1 / STD**2 + flat)
  v = np.maximum(half * np.maximum(pilot, -1) + half + SKY, 0.05) + read
  p = np.where(np.isnan(u), 0, half**2 / v)
  own = 1 / STD**2
  mean = (MEAN * own + p * np.nan_to_num(u)) / (own + p)
  return mean, 1 / np.sqrt(own + p)


def test_the_answer_without_sampling_is_the_closed_form():
  _, counts = scene()
  counts[0, 2, 3] = np.nan
  found = analytic_run().restore(counts, **SCALED)
  mean, std = posterior(counts)
  np.testing.assert_allclose(as_images(found.mean), mean, atol=1e-4)
  assert present(found.std)[1:].mean() == pytest.approx(
    std[1:].mean() * WHITE, rel=0.03
  )
  assert present(found.std)[0, 2, 3, 0] == pytest.approx(STD * WHITE, rel=1e-3)
  assert found.samples is None
  alone = analytic_run().restore(counts, **SCALED, with_std=False)
  np.testing.assert_array_equal(alone.mean, found.mean)
  assert alone.std is None
  assert (alone.calls, found.calls) == (3 * 2, 3 * (2 + 32))


@pytest.mark.parametrize("noise_map", [True, False])
def test_samples_have_the_moments_of_the_closed_form(noise_map):
  _, counts = scene(1)
  run = analytic_run(noise_map=noise_map)
  found = run.restore(counts, samples=64, **SCALED)
  mean, std = posterior(counts)
  error = (as_images(found.mean) - mean) / std
  assert np.abs(error.mean()) < 0.1 and error.std() < 0.25
  ratio = (present(found.std) / WHITE / std).mean()
  assert ratio == pytest.approx(1, abs=0.06)
  assert found.checks[0].chi_squared_samples == pytest.approx(1, abs=0.35)


def test_intervals_cover():
  x, counts = scene(8)
  found = analytic_run().restore(counts, samples=6, **SCALED)
  for level in (0.68, 0.95):
    low, high = found.interval(level)
    inside = (as_images(low) < x) & (x < as_images(high))
    assert inside.mean() == pytest.approx(level, abs=0.06)
  wide = analytic_run().restore(counts, samples=6, std_factor=2.0, **SCALED)
  np.testing.assert_allclose(
    present(wide.std), 2 * present(found.std), rtol=1e-5
  )
  assert wide.std_factor == 2.0


def test_a_canvas_of_one_tile_is_the_tile():
  """One by windows of its size, the other without."""
  _, counts = scene(1)
  run = analytic_run()
  tile = run.restore(counts, **SCALED)
  wide = np.pad(counts, ((0, 0), (0, 0), (0, 1), (0, 0)), mode="edge")
  wide[:, :, 8:] = np.nan
  canvas = run.restore(wide, **SCALED)
  np.testing.assert_allclose(canvas.mean[:, :, :8], tile.mean, atol=1e-2)


def test_a_small_image_is_the_corner_of_a_tile():
  _, counts = scene(1)
  small = analytic_run(side=16).restore(counts, **SCALED)
  same = analytic_run(side=8).restore(counts, **SCALED)
  np.testing.assert_allclose(small.mean, same.mean, atol=1e-2)


def test_a_larger_image_has_no_seam():
  """Of independent pixels, with precisions by pixel, windows do not matter."""
  _, counts = scene(1, side=20)
  found = analytic_run(side=8).restore(counts, **SCALED)
  mean, _ = posterior(counts)
  np.testing.assert_allclose(as_images(found.mean), mean, atol=1e-4)
  plain = analytic_run(side=8, noise_map=False)
  away = as_images(plain.restore(counts, corrections=4, **SCALED).mean) - mean
  assert np.abs(away).max() < 0.1 and np.abs(away).mean() < 0.01


def test_samples_are_functions_of_the_seed_and_their_numbers():
  _, counts = scene()
  run = analytic_run()
  options: dict[str, Any] = {"samples": 3, "steps": 8, **SCALED}
  all_of_them = run.restore(counts, **options)
  apart = run.restore(counts, batch=8, **options)
  np.testing.assert_allclose(
    present(apart.samples), present(all_of_them.samples), atol=1e-2
  )
  last = run.restore(counts[2], first=2, **options)
  np.testing.assert_allclose(
    present(last.samples)[:, :, :, 0],
    present(all_of_them.samples)[:, 2, :, :, 0],
    atol=1e-2,
  )
  other = run.restore(counts, seed=1, **options)
  assert (
    np.abs(present(other.samples) - present(all_of_them.samples)).mean() > 1
  )


def test_shapes_and_units_are_those_of_the_counts():
  _, counts = scene(1)
  run = analytic_run()
  whole = run.restore(counts, samples=2, steps=4, **SCALED)
  gray = run.restore(counts[0, ..., 0], samples=2, steps=4, **SCALED)
  assert gray.mean.shape == present(gray.std).shape == (8, 8)
  assert present(gray.samples).shape == (2, 8, 8)
  np.testing.assert_array_equal(gray.mean, whole.mean[0, ..., 0])
  np.testing.assert_allclose(gray.mean.mean(), counts.mean(), rtol=0.02)


def test_negative_counts_are_not_clipped():
  dark = np.full((8, 8), 100.0)
  noise = np.random.default_rng(0).normal(0, 4.0, (8, 8))
  run = analytic_run()
  one = run.restore(dark + noise, **SCALED).mean
  clipped = run.restore(np.maximum(dark + noise, 100.0), **SCALED).mean
  assert (one < clipped).any()


def test_saturated_pixels_are_left_to_the_prior():
  _, counts = scene(1)
  counts[0, 4, 4] = 5000.0
  found = analytic_run().restore(counts, white=4000.0, **SCALED)
  assert as_images(found.mean[0, 4, 4, 0]) == pytest.approx(MEAN, abs=1e-3)
  assert any("white level" in x for x in found.warnings)


def test_fewer_pixels_than_the_image():
  x, counts = scene(1, side=16)
  coarse = counts.reshape(1, 8, 2, 8, 2, 1).mean((2, 4))
  run = analytic_run(side=8)
  found = run.restore(
    coarse, operator="downsample:2", samples=8, steps=12, **SCALED
  )
  assert found.mean.shape == (1, 16, 16, 1)
  back = found.mean.reshape(1, 8, 2, 8, 2, 1).mean((2, 4))
  precision = (WHITE / 2) ** 2 / (WHITE / 2 * (1 + MEAN) + SKY + 1.5**2)
  own = 4 / STD**2  # of the mean of four pixels
  want = MEAN * own + precision * as_images(coarse)
  error = as_images(back) - want / (own + precision)
  expected = (own + precision) ** -0.5 / 8**0.5  # of the mean of the samples
  assert error.std() < 1.5 * expected and abs(error.mean()) < expected / 2


def test_a_mosaic_gives_colors():
  _, counts = scene(1, side=4, channels=4)
  run = analytic_run(side=8, channels=3)
  found = run.restore(counts, operator="bayer:RGGB", **SCALED)
  assert found.mean.shape == (1, 8, 8, 3)
  assert as_images(found.mean[0, 1, 1, 0]) == pytest.approx(MEAN, abs=1e-3)


@pytest.mark.parametrize(
  ("scale", "white", "electrons", "origin"),
  [
    (30, 180.0, 30.0, "given"),
    ("white", 180.0, 39.0, "white level"),
    (None, 180.0, 39.0, "white level"),
    (None, 60_000.0, None, "quantile"),
    ("image", 180.0, None, "quantile"),
  ],
)
def test_the_scale_is_stated(scale, white, electrons, origin):
  _, counts = scene(1)
  found = analytic_run().restore(
    counts, white=white, background=1.0, scale=scale, **CAMERA
  )
  assert origin in found.white.origin
  if electrons:
    assert found.white.electrons == pytest.approx(electrons)
  else:
    assert 10 < found.white.electrons < 40


def test_a_wrong_unit_is_suspected():
  """By a prior that leaves little to the counts."""
  rng, rate = np.random.default_rng(0), WHITE / 2 * (1 + MEAN) + SKY
  electrons = rng.poisson(rate, (1, 16, 16, 1)) + rng.normal(
    0, 1.5, (16, 16, 1)
  )
  counts = CAMERA["gain"] * electrons + CAMERA["black"]
  run = analytic_run(analytic.gaussian(MEAN, 0.02), side=16)
  right = run.restore(counts, samples=4, **SCALED)
  assert not any("chi-squared" in x for x in right.warnings)
  inverse = {**CAMERA, "gain": 0.5, "background": SKY}
  wrong = run.restore(counts, samples=4, scale=4 * WHITE, **inverse)
  assert any("chi-squared" in x for x in wrong.warnings)
  assert not image_noise.doubtful(right.checks[0].noise_ratio, 16 * 16)
  assert wrong.checks[0].noise_ratio == pytest.approx(4, rel=0.5)
  black = run.restore(counts, **{**SCALED, "black": 160.0})
  assert any("below black" in x for x in black.warnings)


@pytest.mark.parametrize(
  ("changes", "named"),
  [
    ({"gain": 0.0}, "gain"),
    ({"gain": np.ones((3, 3))}, "gain"),
    ({"read_noise": -1.0}, "read_noise"),
    ({"white": 50.0}, "white"),
    ({"background": -1.0}, "background"),
    ({"scale": 0.0}, "scale"),
    ({"scale": "white"}, "scale"),
    ({"scale": "x"}, "scale"),
    ({"samples": -1}, "samples"),
    ({"std_factor": 0.0}, "std_factor"),
    ({"operator": "sharpen"}, "operator"),
    ({"operator": "downsample:2"}, "operator"),
    ({"operator": "downsample:1.5", "samples": 2}, "operator"),
    ({"operator": "bayer:RGGB"}, "operator"),
    ({"sampler": "x"}, "sampler"),
    ({"seed": -1}, "seed"),
  ],
)
def test_bad_options_are_named(changes, named):
  _, counts = scene(1)
  with pytest.raises(UserError, match=f"^{named}"):
    analytic_run().restore(counts, **{**SCALED, **changes})


@pytest.mark.parametrize(
  "counts",
  [
    np.zeros((8, 8, 3)),
    np.zeros((0, 8, 8, 1)),
    np.full((8, 8), np.nan),
    np.ones((8, 8), bool),
    np.full((8, 8), 1e9),
  ],
)
def test_bad_counts_are_refused(counts):
  with pytest.raises(UserError, match="^counts"):
    analytic_run().restore(counts, white=1e6, **SCALED)


def test_darkness_has_no_scale():
  with pytest.raises(UserError, match="^counts"):
    analytic_run().restore(np.full((8, 8), 100.0), **CAMERA)


@pytest.mark.parametrize("side", [8, 20])
@pytest.mark.parametrize("samples", [0, 1])
def test_the_denoiser_is_told_the_sensor_in_windows_too(side, samples):
  """But for the pilot, whose map is even."""
  _, counts = scene(2, side)

  def denoise(x, sigma, cond=None):
    told = (cond or {}).get(sensor_numbers.NAME)
    return 0 * x if told is None else 0 * x + told[:, 1:2, None, None]

  found = analytic_run(denoise).restore(counts, samples=samples, **SCALED)
  want = CAMERA["read_noise"] / (WHITE / 2)
  np.testing.assert_allclose(as_images(found.mean), want, atol=1e-4)
