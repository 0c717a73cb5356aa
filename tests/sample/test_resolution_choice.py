"""The resolution that is chosen for counts, and restorations at it."""

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from support.exact_run import exact_run, tiles, write_table

from jaxgen.errors import UserError
from jaxgen.evaluation import resolutions
from jaxgen.restoration import binned
from jaxgen.restoration.camera import Camera
from jaxgen.sample import resolution_choice
from jaxgen.sample.exposure import exposure
from jaxgen.sample.resolution_choice import Limits
from jaxgen.workdir import resolutions_file

CAMERA = {"gain": 2.0, "read_noise": 1.0, "black": 100.0}
PHOTONS = 20.0


@pytest.fixture
def run(tmp_path, monkeypatch):
  """A run with a table that is written and read again."""
  monkeypatch.setattr(resolutions, "_tiles", lambda run, side, n: tiles()[:n])
  exact = exact_run(tmp_path)
  assert write_table(exact) == resolutions_file.read(tmp_path)
  return exact


def counts(photons=PHOTONS, side=64, detail=True):
  """Counts of an image, white or with the detail of a lower resolution."""
  rng = np.random.default_rng(1)
  image = rng.normal(0, 0.3, (side, side))
  if not detail:
    image = np.kron(image[: side // 8, : side // 8], np.ones((8, 8)))
  rate = photons * (0.5 + np.clip(image, -1, 1) / 2)
  noisy = rng.poisson(rate) + rng.normal(0, 1, rate.shape)
  return noisy[..., None].astype(np.float32)


def choose(run, photons=PHOTONS, data=None, calls=2, **limits):
  electrons = counts(photons) if data is None else data
  exposed = exposure(
    electrons[None],
    Camera(gain=1.0, read_noise=1.0),
    background=0.0,
    scale=photons,
  )
  return resolution_choice.choose(
    run, exposed, limits=Limits(**limits), calls=calls
  )


def test_the_choice_scales_with_the_image(run):
  free = choose(run)
  assert free.factor == 1 and free.recommendation.loss == 0
  assert free.recommendation.row.seconds == pytest.approx(49 * 0.16)
  assert free.recommendation.row.bytes == 16 * 8000 + 12  # 16 at a time
  small = choose(run, data=counts(PHOTONS, side=24))
  assert small.recommendation.row.seconds == pytest.approx(4 * 0.16)
  assert small.recommendation.row.bytes == 4 * 8000 + 12
  sampled = choose(run, calls=20)
  assert sampled.recommendation.row.seconds == pytest.approx(490 * 0.16)


def test_limits_lower_the_resolution_or_name_the_cheapest(run):
  for found in (choose(run, max_seconds=6.0), choose(run, max_bytes=100_000)):
    assert found.factor == 2 and found.recommendation.loss > 0
  with pytest.raises(UserError, match=r"^max_seconds=0.1: .* 8 pixels"):
    choose(run, max_seconds=0.1)
  with pytest.raises(UserError, match=r"^max_memory=1: .* 8 pixels"):
    choose(run, max_bytes=1)


def test_memory_limits_the_windows_at_a_time(run):
  """Of 49 windows 16 at a time, or as many images of one window as there is
  memory for."""
  assert choose(run, max_bytes=5 * 128_000 + 12).windows == 5 * 16
  one = choose(run, data=counts(side=16), max_bytes=3 * 16_000 + 12)
  assert (one.factor, one.windows) == (1, 3)
  assert choose(run).windows > 1e6


def test_what_the_image_says(run):
  photons = 100.0
  found = choose(run, photons, counts(photons, detail=False))
  assert found.noise == pytest.approx(51, rel=0.4)
  assert not any("variance" in x for x in found.warnings)
  other = choose(run, photons, 6 * counts(photons, detail=False))
  assert any("variance" in x for x in other.warnings)
  little = np.full((16, 16, 1), np.nan, np.float32)
  little[3, 4] = 50.0
  unseen = choose(run, photons, little)
  assert np.isnan(unseen.noise) and not unseen.detail


def test_a_background_is_noise(run):
  bright = run.restore(
    200 + 2 * counts(), background=40.0, preference="quality", **CAMERA
  )
  dark = run.restore(100 + 2 * counts(), preference="quality", **CAMERA)
  expected = [x.choice.recommendation.row.psnr for x in (bright, dark)]
  assert expected[0] < expected[1] - 0.1


def test_a_table_of_others_is_said(run):
  assert not any("step" in x for x in choose(run).warnings)
  later = dataclasses.replace(run, step=9)
  assert any("step 7" in x for x in choose(later).warnings)


def test_counts_are_restored_at_the_chosen_resolution(run):
  electrons = counts(side=16)
  electrons[2:4, 6:8] = np.nan
  electrons[9, 9] = np.nan
  options = {"scale": PHOTONS, "background": 1.0, **CAMERA}
  found = run.restore(100 + 2 * electrons, max_seconds=2, **options)
  assert (found.choice.resolution, found.choice.factor) == (8, 2)
  want = binned.restored_mean(
    run.task_at(8).denoiser({}),
    jnp.asarray(electrons[None]),
    factor=2,
    scale=PHOTONS / 2,
    offset=PHOTONS / 2 + 1.0,
    read_noise=1.0,
    noise_map=True,
  )
  rate = PHOTONS / 2 * (np.asarray(want)[0] + 1) + 1.0
  np.testing.assert_allclose(found.mean, 100 + 2 * rate, rtol=1e-5)
  assert (found.std > 0).all()


def test_an_image_of_any_size_keeps_it(run):
  electrons = counts(photons=200.0, side=64, detail=False)[:37, :50]
  options = {"scale": 200.0, **CAMERA}
  found = run.restore(100 + 2 * electrons, max_memory=76_012, **options)
  assert found.choice.factor == 2 and found.mean.shape == (37, 50, 1)
  drawn = run.restore(
    100 + 2 * electrons[:16, :16, 0],
    max_memory=9_000,
    samples=4,
    steps=8,
    **options,
  )
  assert drawn.choice.factor == 2
  assert drawn.samples.shape == (4, 16, 16) and (drawn.std > 0).all()


def test_full_resolution_is_that_without_limits(run):
  numbers = 100 + 2 * counts(side=40)
  free = run.restore(numbers, **CAMERA)
  found = run.restore(numbers, preference="quality", **CAMERA)
  assert free.choice is None and found.choice.factor == 1
  np.testing.assert_array_equal(found.mean, free.mean)


@pytest.mark.parametrize(
  ("options", "named"),
  [
    ({"max_seconds": 0.0}, "max_seconds"),
    ({"max_memory": 0}, "max_memory"),
    ({"preference": "best"}, "preference"),
    ({"max_seconds": 9.0, "operator": "downsample:2", "samples": 2}, "max_sec"),
  ],
)
def test_bad_limits_are_named(run, options, named):
  with pytest.raises(UserError, match=f"^{named}"):
    run.restore(100 + 2 * counts(), **CAMERA, **options)


def test_a_run_without_a_table_is_told_how_to_make_one(tmp_path, run):
  with pytest.raises(UserError, match="calibrate --workdir"):
    choose(dataclasses.replace(run, workdir=tmp_path / "other"))
  path = run.workdir / resolutions_file.NAME
  content = json.loads(path.read_text())
  for change in ({"rows": []}, {"rows": [{}]}, {"format": 2}, {"detail": 3}):
    path.write_text(json.dumps(content | change))
    with pytest.raises(UserError, match=resolutions_file.NAME):
      choose(run)
