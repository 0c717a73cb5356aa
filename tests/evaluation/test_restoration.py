"""Evaluation of restoration, by a denoiser whose posterior is known."""

import dataclasses
import json

import numpy as np
import pytest

from jaxgen.cli import restoration_tables
from jaxgen.diffusion import analytic
from jaxgen.errors import UserError
from jaxgen.evaluation import (
  held_out,
  restoration,
  restoration_summary,
  restorers,
)
from jaxgen.evaluation.prior import Prior
from jaxgen.evaluation.sensors import Sensor
from jaxgen.report.restoration import write_restoration_page

STD, TILES = 0.15, 12
PHOTONS = 200.0
PRIOR = Prior(
  denoiser=lambda _: analytic.gaussian(0.0, STD),
  params={},
  noise_map=True,
  batch=16,
)


@pytest.fixture(scope="module")
def found():
  """Pixels of the prior, seen by a sensor of many photons."""
  draws = np.random.default_rng(0).normal(size=(TILES, 16, 16, 1))
  tiles = held_out.HeldOut(
    images=(STD * draws).astype(np.float32),
    groups=np.arange(TILES) // 2,
    labels=np.arange(TILES) % 2,
    label_names=("even", "odd"),
  )
  sensor = Sensor(photons=PHOTONS, background=1.0, read_noise=2.0)
  plan = restoration.Plan(tiles=TILES, sampled=TILES, samples=8)
  return restoration.evaluate(
    PRIOR,
    tiles,
    [sensor],
    ways=restorers.without_network() | restorers.network(PRIOR),
    plan=plan,
    log=lambda _: None,
  )


@pytest.fixture(scope="module")
def measures(found):
  return restoration_summary.summary(found)


@pytest.fixture(scope="module")
def rows(measures):
  return {row["way"]: row for row in measures["restorations"]}


def test_one_call_has_the_error_of_the_posterior(rows):
  noise = (PHOTONS / 2 + 1 + 4) / (PHOTONS / 2) ** 2
  mse = 1 / (1 / STD**2 + 1 / noise) / 4  # on [0, 1]
  value, low, high = rows["one call"]["psnr"]
  assert value == pytest.approx(-10 * np.log10(mse), abs=0.2)
  assert low < value < high
  assert "gain" not in rows["one call"]


def test_samples_have_twice_that_error_and_their_mean_little_more(rows):
  """The variance of a sample is that of the error of the mean."""
  assert rows["one sample"]["gain"][0] == pytest.approx(-3.01, abs=0.3)
  mean = rows["mean of 8 samples"]["gain"][0]
  assert mean == pytest.approx(-10 * np.log10(1 + 1 / 8), abs=0.15)


def test_samples_agree_with_the_counts(rows):
  assert rows["one sample"]["chi_squared"][0] == pytest.approx(1, abs=0.1)
  assert rows["one call"]["chi_squared"][0] < 1


def test_intervals_cover_what_they_claim(measures):
  (row,) = measures["samples"]
  for level, (share, *_) in row["coverage"].items():
    assert share == pytest.approx(float(level), abs=0.03)
  assert row["error_over_variance"][0] == pytest.approx(1, abs=0.12)
  np.testing.assert_allclose(row["ranks"], 1 / 9, atol=0.03)
  np.testing.assert_allclose(row["factors"], 1, atol=0.08)


def test_the_denoiser_is_calibrated(measures):
  for row in measures["calibration_by_sigma"]:
    assert row["ratio"][0] == pytest.approx(1, abs=0.15)
  (row,) = measures["calibration_by_photons"]
  assert row["ratio"][0] == pytest.approx(1, abs=0.15)


def test_no_way_beats_the_posterior_mean(rows):
  others = {k: x["gain"][0] for k, x in rows.items() if "gain" in x}
  assert {"DPS", "DiffPIR", "GCR", "counts"} <= others.keys()
  assert max(others.values()) < 0.05
  assert others["GCR"] > -0.05


def test_classes_are_measured_alone(rows):
  classes = rows["one call"]["psnr_by_class"]
  assert list(classes) == ["even", "odd"]
  low, high = sorted(x[0] for x in classes.values())
  assert low <= rows["one call"]["psnr"][0] <= high


def test_a_page_and_tables_show_all(found, measures, tmp_path, capsys):
  json.loads(json.dumps(measures, allow_nan=False))
  path = tmp_path / "restoration.html"
  write_restoration_page(
    path, measures, pictures={}, notes=["a <note>"], facts={"data": "<x>"}
  )
  page = path.read_text()
  assert "a &lt;note&gt;" in page and "DiffPIR" in page
  restoration_tables.print_restoration(measures)
  printed = capsys.readouterr().out
  assert "GCR" in printed and "Coverage" in printed


def test_a_budget_limits_the_tiles():
  options = {"levels": 5, "samples": 0}
  ways = restorers.network(PRIOR).values()
  plan = restoration.affordable(ways, 1024, 40_000, **options)
  assert plan.sampled < plan.tiles < 1024
  calls = sum(x.calls * plan.of(x) for x in ways if x.name != "sample")
  assert calls * 5 <= 40_000
  with pytest.raises(UserError, match="--budget"):
    restoration.affordable(ways, 1024, 100, **options)


@pytest.mark.parametrize("noise_map", [True, False])
@pytest.mark.parametrize("samples", [0, 8])
def test_a_denoiser_alone_is_measured_on_more_tiles(noise_map, samples):
  prior = dataclasses.replace(PRIOR, noise_map=noise_map)
  options = {"levels": 1, "samples": samples}
  every = restorers.without_network() | restorers.network(prior)
  among = restoration.affordable(every.values(), 9_999, 40_000, **options)
  own = restorers.alone(prior)
  plan = restoration.affordable(own.values(), 9_999, 40_000, **options)
  assert restorers.reference(prior) in own
  assert among.sampled < plan.sampled
  times = {x.name: samples if x.name == "sample" else 1 for x in own.values()}
  spent = sum(times[x.name] * x.calls * plan.of(x) for x in own.values())
  assert spent <= 40_000


def test_denoisers_without_maps_are_compared_with_their_own_call():
  plain = dataclasses.replace(PRIOR, noise_map=False)
  assert restorers.MAP not in restorers.network(plain)
  calls = {k: x.calls for k, x in restorers.network(plain).items()}
  assert calls[restorers.SAMPLE] > calls[restorers.DIFFPIR]
