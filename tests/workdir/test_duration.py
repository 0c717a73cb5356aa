import pytest

from jaxgen.workdir.duration import duration


@pytest.mark.parametrize(
  ("seconds", "text"),
  [
    (0, "0:00"),
    (59.9, "0:59"),
    (60, "1:00"),
    (3599, "59:59"),
    (3600, "1:00:00"),
    (4145, "1:09:05"),
    (360000, "100:00:00"),
    (-5, "0:00"),
  ],
)
def test_minutes_and_seconds_and_hours_from_one_on(seconds, text):
  assert duration(seconds) == text
