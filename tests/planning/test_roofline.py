"""Rates of devices, and times by the roofline model."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.planning import roofline
from jaxgen.planning.roofline import Speed


def test_time_is_that_of_operations_or_of_memory():
  """The roofline's two roofs, and its corner."""
  rates = Speed(flops=100.0, bandwidth=20.0)
  assert rates.seconds(300, 10) == 3.0 and rates.seconds(300, 90) == 4.5
  assert rates.seconds(500, 100) == 5.0
  assert Speed(flops=100.0).seconds(300, 1e12) == 3.0


@pytest.mark.slow
def test_rates_are_of_all_devices_and_shared_out(monkeypatch):
  """With calls that take a second: 2 n^3 operations of a product on each of
  eight devices, one array read and one written."""
  monkeypatch.setattr(
    roofline, "seconds", lambda call, repeats: float(call().any())
  )
  found = roofline.measure(np.float32, 8)
  assert found.flops == roofline.SHARE * 2 * roofline.PRODUCT["cpu"] ** 3
  assert found.bandwidth == roofline.REUSE * 2 * roofline.SUM["cpu"]
  assert roofline.measure(np.float32, 1).flops == 8 * found.flops


def test_the_time_of_a_call_is_the_median_without_the_first():
  calls = []
  assert roofline.seconds(lambda: calls.append(0), 5) >= 0
  assert len(calls) == 6


@pytest.mark.parametrize(
  "call_seconds, counts", [(1.0, [1]), (1e-4, [1, 38, 76])]
)
def test_a_short_program_is_repeated_within(monkeypatch, call_seconds, counts):
  """Its time is that of one repetition, and its result that of all."""
  results = []

  def seconds(call, repeats):
    results.append(float(call()))
    return call_seconds * results[-1]

  monkeypatch.setattr(roofline, "seconds", seconds)
  add = lambda y, x: y + x  # noqa: E731
  ends = [1.0 + count for count in counts]
  taken = roofline.repeated_seconds(add, jnp.ones(()), repeats=1)
  assert results == ends
  assert taken == pytest.approx(call_seconds * ends[-1] / counts[-1])


def test_the_product_keeps_its_values(monkeypatch):
  monkeypatch.setitem(roofline.PRODUCT, "cpu", 64)
  ends = []

  def seconds(call, repeats):
    ends.append(np.asarray(call(), np.float32))
    return 1e-4 * len(ends)

  monkeypatch.setattr(roofline, "seconds", seconds)
  assert roofline.matrix_product(jnp.bfloat16, 1) > 0
  assert len(ends) > 1 and all((end == 1 / 64).all() for end in ends)
