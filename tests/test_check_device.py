"""The script that checks a device, at its smallest and on CPU."""

import dataclasses
import importlib
import json
import pathlib
import sys

import numpy as np
import pytest

SCRIPTS = pathlib.Path(__file__).parents[1] / "scripts"
sys.path.append(str(SCRIPTS))
check_device = importlib.import_module("check_device")
check = importlib.import_module("device_checks.check")
reference = importlib.import_module("device_checks.reference")
speed = importlib.import_module("device_checks.speed")

WITHOUT_CPU = {"plan", "out_of_memory"}


@pytest.mark.slow
@pytest.mark.parametrize("each", check_device.CHECKS, ids=lambda x: x.name)
def test_a_check_runs_on_cpu(tmp_path, each):
  row = check.row(each, check.Options(folder=tmp_path, smallest=True))
  verdict = "not applicable" if each.name in WITHOUT_CPU else "holds"
  assert row["verdict"] == verdict, row
  assert row["summary"] and json.loads(json.dumps(row, default=str))


def test_there_are_ten_checks_in_ten_minutes():
  assert len({x.name for x in check_device.CHECKS}) == 10
  assert sum(x.seconds for x in check_device.CHECKS) <= check_device.TOTAL


@pytest.mark.slow
def test_a_check_that_fails_does_not_stop_the_others(
  tmp_path, monkeypatch, capsys
):
  device = check_device.CHECKS[0]
  bad = dataclasses.replace(device, name="bad")  # its process does not know it
  monkeypatch.setattr(check_device, "CHECKS", (bad, device))
  path = tmp_path / "rows.json"
  assert check_device.main(["--smallest", f"--json={path}"]) == 1
  first, second = json.loads(path.read_text())
  assert first["verdict"] == "FAILED" and "status 2" in first["summary"]
  assert second["verdict"] == "holds"
  assert "FAILED" in capsys.readouterr().out


def test_errors_become_rows(tmp_path):
  def wrong(options):
    raise ValueError("no such thing")

  def senseless(options):
    raise check.NotApplicable("there is none")

  rows = [
    check.row(
      check.Check(name="x", run=run, seconds=1),
      check.Options(folder=tmp_path),
    )
    for run in (wrong, senseless)
  ]
  assert [x["verdict"] for x in rows] == ["FAILED", "not applicable"]
  assert rows[0]["summary"] == "ValueError: no such thing"


def test_no_part_is_started_after_the_end(tmp_path):
  late = check.Options(folder=tmp_path, end=0)
  assert [*late.parts("abc")] == ["a"]
  assert [*check.Options(folder=tmp_path).parts("abc")] == ["a", "b", "c"]


def test_the_reference_derivatives_are_those_of_the_reference():
  """Differences along the tangents, and the gradients' products with them."""
  rng = np.random.default_rng(0)
  draw = lambda: rng.normal(size=(2, 5, 3, 4))  # noqa: E731
  inputs = reference.Attention(draw(), draw(), draw())
  tangents = reference.Attention(draw(), draw(), draw())
  cotangent, step = draw(), 1e-6
  at = lambda t: reference.attention(  # noqa: E731
    reference.Attention(
      *(x + t * dx for x, dx in zip(inputs, tangents, strict=True))
    ),
    tangents,
    cotangent,
  )
  exact = at(0.0)
  moved = (at(step).value - at(-step).value) / (2 * step)
  np.testing.assert_allclose(exact.moved, moved, rtol=1e-5, atol=1e-8)
  pulled = sum(
    (g * dx).sum() for g, dx in zip(exact.gradients, tangents, strict=True)
  )
  assert pulled == pytest.approx((cotangent * exact.moved).sum())


def test_benchmark_variants_are_found():
  assert "rocks_patch_ae_256.py:benchmark" in speed.variants()
