"""Rates of devices, and times by the roofline model."""

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
  assert found.flops == roofline.SHARE * 2 * roofline.PRODUCT**3
  assert found.bandwidth == roofline.REUSE * 2 * roofline.SUM
  assert roofline.measure(np.float32, 1).flops == 8 * found.flops


def test_the_time_of_a_call_is_the_median_without_the_first():
  calls = []
  assert roofline.seconds(lambda: calls.append(0), 5) >= 0
  assert len(calls) == 6
