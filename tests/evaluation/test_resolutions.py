"""Restorations measured by resolution, and the choice by them."""

import dataclasses
import json
import types

import jax.numpy as jnp
import numpy as np
import pytest
from support.configs import toy_denoiser

from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.diffusion.edm import per_image
from jaxgen.errors import UserError
from jaxgen.evaluation import resolutions
from jaxgen.parallel.sharding import Layout, make_mesh
from jaxgen.restoration.camera import Camera
from jaxgen.restoration.recommend import Unaffordable
from jaxgen.sample import resolution_choice
from jaxgen.sample.denoiser import DenoiserRun
from jaxgen.sample.resolution_choice import Limits
from jaxgen.workdir import resolutions_file

FULL, SPREAD = 16, 0.3


class Exact(DenoiserRun):
  """A run whose denoiser is exact for white images, at any resolution."""

  def task_at(self, resolution):
    spread = SPREAD * resolution / FULL

    def denoise(x, sigma, cond=None):
      return x * spread**2 / (spread**2 + per_image(sigma) ** 2)

    return types.SimpleNamespace(denoiser=lambda params: denoise, set_fade=None)


@pytest.fixture
def run(tmp_path, monkeypatch):
  config = toy_denoiser(
    stages={"resolution": (FULL,)}, diffusion={"noise_map": True}
  )
  tiles = np.random.default_rng(0).normal(0, SPREAD, (96, FULL, FULL, 1))
  tiles = tiles.astype(np.float32)
  monkeypatch.setattr(resolutions, "_tiles", lambda run, side, num: tiles[:num])
  exact = Exact(
    workdir=tmp_path,
    experiment=parse(config),
    names={},
    layout=Layout(mesh=make_mesh()),
    task=None,  # pyright: ignore[reportArgumentType]
    params={"w": jnp.zeros(3)},
    step=7,
    stage=0,
    sigma_rel=None,
  )
  return exact


def test_the_error_is_that_of_the_posterior(run):
  """Of even noise, for a large background: closed forms at each resolution."""
  sensor = resolutions.Sensor(background=4e4, read_noise=1.0)
  found = resolutions.measure(
    run, [8, 16], photons=[400.0, 2000.0], sensor=sensor, num=96, batch=64
  )
  assert (found.step, found.tiles, found.calls) == (7, 96, 2)
  for row in found.table.rows:
    noise = (4e4 + row.photons / 2 + 1) / (row.photons / 2) ** 2
    if row.resolution == 16:
      prior = SPREAD**2
      expected = prior * noise / (prior + noise) / 4
      assert row.mse == pytest.approx(expected, rel=0.06)
    else:  # three quarters of the energy are beyond its Nyquist frequency
      assert row.mse > 0.95 * 0.75 * SPREAD**2 / 4 * (
        SPREAD**2 / (SPREAD**2 + noise)
      )
    assert row.seconds > 0 and row.bytes > 0
  assert found.table.detail[8] == pytest.approx(0.75 * SPREAD**2 / 4, rel=0.05)
  assert found.table.level == pytest.approx(0.5, abs=0.01)


def test_batches_and_repetitions_change_nothing(run):
  measure = lambda batch: resolutions.measure(  # noqa: E731
    run, [16, 8, 8], photons=[20.0, 20.0], num=40, batch=batch
  )
  one, other = measure(16), measure(64)
  assert len(one.table.rows) == 2
  for a, b in zip(one.table.rows, other.table.rows, strict=True):
    assert a.mse == pytest.approx(b.mse, rel=1e-5)


def test_resolutions_that_do_not_fit_are_named(run):
  for wrong in ([6, 16], [5, 8]):
    with pytest.raises(UserError, match="resolutions"):
      resolutions.measure(run, wrong)
  assert resolutions.default_resolutions(run) == [8, 16]


@pytest.fixture
def table(run):
  """A run with a table that is written and read again."""
  found = resolutions.measure(
    run, [8, 16], photons=[5.0, 100.0], num=32, batch=32
  )
  rows = [  # of exact times and memory
    dataclasses.replace(
      x, seconds=x.resolution / 100, bytes=1000 * x.resolution
    )
    for x in found.table.rows
  ]
  exact = dataclasses.replace(found.table, rows=tuple(rows))
  found = dataclasses.replace(found, table=exact)
  resolutions_file.write(run.workdir, found)
  assert resolutions_file.read(run.workdir) == found
  return run.workdir


CAMERA = Camera(gain=1.0, read_noise=1.0)


def counts(photons, side=64, detail=True):
  """Counts of an image, white or with the detail of a lower resolution."""
  rng = np.random.default_rng(1)
  image = rng.normal(0, 0.3, (side, side))
  if not detail:
    image = np.kron(image[: side // 8, : side // 8], np.ones((8, 8)))
  rate = photons * (0.5 + np.clip(image, -1, 1) / 2)
  noisy = rng.poisson(rate) + rng.normal(0, 1, rate.shape)
  return noisy[..., None].astype(np.float32)


def choose(workdir, photons=20.0, data=None, **limits):
  return resolution_choice.choose(
    workdir,
    counts(photons) if data is None else data,
    camera=CAMERA,
    photons=photons,
    limits=Limits(**limits),
  )


def test_the_choice_scales_with_the_image(table):
  free = choose(table)
  assert free.factor == 1 and free.recommendation.loss == 0
  assert free.recommendation.row.seconds == pytest.approx(16 * 0.16)
  assert free.recommendation.row.bytes == 16 * 16000 + 12
  large = choose(table, data=counts(20.0, side=128))
  assert large.recommendation.row.seconds == pytest.approx(64 * 0.16)
  assert large.recommendation.row.bytes == 16 * 16000 + 12  # 16 at a time
  sampled = choose(table, calls=20)
  assert sampled.recommendation.row.seconds == pytest.approx(160 * 0.16)


def test_limits_lower_the_resolution_or_name_the_cheapest(table):
  for limit in ({"max_seconds": 2.0}, {"max_bytes": 200_000}):
    found = choose(table, **limit)
    assert found.factor == 2 and found.recommendation.loss > 0
  with pytest.raises(Unaffordable, match=r"max_seconds=0.1.*8 pixels"):
    choose(table, max_seconds=0.1)


def test_what_the_image_says(table):
  photons = 100.0
  found = choose(table, photons, counts(photons, detail=False))
  assert found.noise == pytest.approx(51, rel=0.4)
  assert not any("variance" in x for x in found.warnings)
  other = choose(table, photons, 3 * counts(photons, detail=False))
  assert any("variance" in x for x in other.warnings)
  unseen = choose(table, photons, np.full((16, 16, 1), np.nan, np.float32))
  assert np.isnan(unseen.noise) and not unseen.detail


def test_a_run_without_a_table_is_told_how_to_make_one(tmp_path, table):
  with pytest.raises(UserError, match="calibrate --workdir"):
    choose(tmp_path / "other")
  path = table / resolutions_file.NAME
  content = json.loads(path.read_text())
  for change in ({"rows": []}, {"rows": [{}]}, {"format": 2}, {"detail": 3}):
    path.write_text(json.dumps(content | change))
    with pytest.raises(UserError, match=resolutions_file.NAME):
      choose(table)


@pytest.mark.parametrize(
  ("line", "name"),
  [
    ("--workdir=W --pairs=a,b", "--pairs"),
    ("--workdir=W --out=o", "--out"),
    ("--workdir=W --photons=5,x", "--photons"),
    ("--workdir=W --resolutions=0", "--resolutions"),
    ("--image=a.tif --out=o --num=4", "--num"),
    ("--image=a.tif", "--out"),
    ("--workdir=W", "W"),
  ],
)
def test_flags_that_do_not_fit_are_named(line, name, capsys):
  assert main(["calibrate", *line.split()]) == 2
  assert name in capsys.readouterr().err


def test_the_verb(denoiser, capsys):
  flags = "--photons=5,100 --num=4 --batch=4".split()
  path = denoiser / resolutions_file.NAME
  try:
    assert main(["calibrate", f"--workdir={denoiser}", *flags]) == 0
    assert "ms per tile" in capsys.readouterr().out
    found = resolutions_file.read(denoiser)
    assert found.calls == 3 and len(found.table.photons) == 2
  finally:
    path.unlink(missing_ok=True)
