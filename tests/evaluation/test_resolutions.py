"""Restorations measured by resolution."""

import dataclasses

import numpy as np
import pytest
from support.exact_run import SPREAD, exact_run, tiles

from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.evaluation import resolutions
from jaxgen.evaluation.sensors import Sensor
from jaxgen.parallel.memory import program_bytes
from jaxgen.sample import restoration_run
from jaxgen.workdir import resolutions_file


@pytest.fixture
def run(tmp_path, monkeypatch):
  monkeypatch.setattr(resolutions, "_tiles", lambda run, side, n: tiles()[:n])
  return exact_run(tmp_path)


def test_the_error_is_that_of_the_posterior(run):
  """Of even noise, for a large background: closed forms at each resolution."""
  sensors = [Sensor(photons=p, background=4e4) for p in (400.0, 2000.0)]
  found = resolutions.measure(run, [8, 16], sensors=sensors, num=96, batch=64)
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
  sensors = [Sensor(photons=20.0)] * 2
  measure = lambda batch: resolutions.measure(  # noqa: E731
    run, [16, 8, 8], sensors=sensors, num=40, batch=batch
  )
  one, other = measure(16), measure(64)
  assert len(one.table.rows) == 2
  for a, b in zip(one.table.rows, other.table.rows, strict=True):
    assert a.mse == pytest.approx(b.mse, rel=1e-5)


@pytest.mark.parametrize(("side", "windows"), [(16, 1), (32, 9)])
def test_the_memory_is_that_of_the_program_that_restores(
  run, side, windows, monkeypatch
):
  """Of as many images as there are devices, each on its own."""
  taken = []

  def call(program, arguments, spec):
    taken.append(program_bytes(program.lower(arguments, spec).compile()))
    return program(arguments, spec)

  monkeypatch.setattr(restoration_run.profiling, "call", call)
  sensors = [Sensor(photons=20.0)]
  found = resolutions.measure(run, [8, 16], sensors=sensors, num=8, batch=8)
  counts = np.random.default_rng(0).poisson(10.0, (8, side, side, 1))
  for resolution in (8, 16):
    rows = [  # it is the best one
      dataclasses.replace(x, mse=0.1 if x.resolution == resolution else 0.2)
      for x in found.table.rows
    ]
    table = dataclasses.replace(found.table, rows=tuple(rows))
    known = dataclasses.replace(found, table=table)
    resolutions_file.write(run.workdir, known)
    restored = run.restore(
      counts, gain=1.0, read_noise=1.0, scale=20.0, preference="quality"
    )
    assert restored.choice.resolution == resolution
    expected = restored.choice.recommendation.row.bytes
    assert taken.pop() == pytest.approx(expected, rel=0.05)


def test_resolutions_that_do_not_fit_are_named(run):
  for wrong in ([6, 16], [5, 8]):
    with pytest.raises(UserError, match="resolutions"):
      resolutions.measure(run, wrong, sensors=[Sensor(photons=20.0)])
  assert resolutions.default_resolutions(run) == [8, 16]


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
