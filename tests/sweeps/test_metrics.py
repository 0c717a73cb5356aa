import pytest

from jaxgen.sweeps.metrics import METRICS, column, metric


@pytest.mark.parametrize("name", ["psnr", "ssim", "mse", "lpips"])
def test_a_better_value_is_a_smaller_error(name):
  found = metric(name)
  better, worse = (0.9, 0.8) if found.direction == "max" else (0.8, 0.9)
  assert found.error(better) < found.error(worse)


def test_the_error_of_psnr_is_the_mean_squared_error():
  """PSNR is -10 log10(MSE) for images in [0, 1]."""
  assert metric("psnr").error(20.0) == pytest.approx(0.01)
  assert metric("psnr").error(23.0103) / metric("psnr").error(20.0) == (
    pytest.approx(0.5, rel=1e-5)
  )


def test_perfect_runs_have_no_error():
  for name, found in METRICS.items():
    best = 1.0 if found.direction == "max" else 0.0
    if name != "psnr":
      assert found.error(best) == 0


def test_metrics_of_tasks_have_a_direction():
  assert metric("validation/loss", "min").error(0.25) == 0.25
  score = metric("validation/score", "max")
  assert score.title == "score" and score.error(4.0) == 0.25


def test_columns_are_those_of_held_out_metrics():
  assert column("psnr") == column("validation/psnr") == "validation/psnr"
