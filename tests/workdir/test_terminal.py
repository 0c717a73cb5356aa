"""Lines of progress, and the speed behind them."""

import pytest

from jaxgen.workdir import terminal
from jaxgen.workdir.terminal import Terminal


@pytest.fixture
def clock(monkeypatch):
  """A clock that is set by hand."""
  now = [0.0]
  monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
  return now


def test_the_estimate_leaves_out_compilation_and_evaluation(clock, capsys):
  shown = Terminal(images=0, total=1000, stages=1)
  with shown.compiling("the step"):
    clock[0] += 60
  shown.restart(100)
  clock[0] += 1
  with shown.paused():
    clock[0] += 500
  clock[0] += 1
  speed = shown.speed(300)
  assert speed == pytest.approx(100)
  values = {"images_per_second": speed}
  shown.progress(300, 3, 0, values, steps=dict.fromkeys(values, 3))
  shown.close()
  lines = capsys.readouterr().out.splitlines()
  assert lines[:2] == ["compiling the step ...", "compiled in 60.0 s"]
  assert "100 images/s" in lines[2] and "0:07" in lines[2]


def test_values_of_earlier_steps_are_marked_and_the_loss_is_named(capsys):
  shown = Terminal(images=0, total=1000, stages=1)
  values = {"loss": -4.98, "validation/psnr": 22.5}
  steps = {"loss": 20, "validation/psnr": 10}
  shown.progress(300, 20, 0, values, steps=steps, loss="log MSE")
  shown.progress(200, 10, 0, values, steps=dict.fromkeys(steps, 10))
  shown.close()
  first, second = capsys.readouterr().out.splitlines()
  assert first.endswith("log MSE -4.9800  held-out PSNR 22.50 (step 10)")
  assert second.endswith("loss -4.9800  held-out PSNR 22.50")
