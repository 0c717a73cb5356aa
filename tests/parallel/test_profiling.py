"""The requested calls are traced, and where the trace lies is said."""

import jax
import jax.numpy as jnp
import pytest

from jaxgen.parallel import profiling


def traces(folder):
  return [x for x in folder.rglob("*") if x.name == profiling.TRACE]


def train(num):
  double = jax.jit(lambda x: 2 * x)
  x = jnp.ones(4)
  for _ in range(num):
    x = profiling.call(double, x)
  return float(x[0])


def test_without_a_window_calls_are_just_made(tmp_path, capsys):
  with profiling.profiling(None, tmp_path, unit="step"):
    assert train(3) == 8
  assert not list(tmp_path.iterdir()) and capsys.readouterr().out == ""


@pytest.mark.parametrize(("num", "said"), [(5, "step 2 to 3"), (2, "step 2 ")])
def test_a_trace_is_written_and_named(tmp_path, capsys, num, said):
  """Also if the calls end within the window."""
  with profiling.profiling((2, 2), tmp_path, unit="step"):
    assert train(num) == 2**num
  (trace,) = traces(tmp_path)
  out = capsys.readouterr().out
  assert trace.stat().st_size and str(trace) in out and said in out


@pytest.mark.parametrize(
  ("num", "ran", "remedy"),
  [
    (0, "no step", ""),
    (1, "step 1 alone", "--profile=1,1 "),
    (3, "step 1 to 3", "--profile=2,2 "),
    (8, "step 1 to 8", "--profile=2,3 "),
  ],
)
def test_a_window_that_is_never_reached_is_reported(
  tmp_path, capsys, num, ran, remedy
):
  with profiling.profiling((9, 3), tmp_path, unit="step"):
    train(num)
  out = capsys.readouterr().out
  assert "nothing was traced" in out and not traces(tmp_path)
  assert f"ran {ran}" in out and remedy in out


def test_an_error_ends_the_trace(tmp_path):
  for name in "ab":  # a second trace can be started
    with (
      pytest.raises(ZeroDivisionError),
      profiling.profiling((1, 9), tmp_path / name, unit="step"),
    ):
      train(2)
      raise ZeroDivisionError
    assert traces(tmp_path / name)
