import jax
import numpy as np
import pytest

from jaxgen.diffusion import sigmas


def test_the_18_step_grid_is_the_published_one():
  want = """80 57.586 40.7856 28.3746 19.3525 12.9101 8.40094 5.31519 3.25682
    1.92334 1.08817 0.585348 0.296442 0.139516 0.0599473 0.0229345 0.00752802
    0.002 0"""
  np.testing.assert_allclose(
    sigmas.karras(18), [float(x) for x in want.split()], rtol=5e-6
  )


@pytest.mark.parametrize(
  "grid", [sigmas.karras, sigmas.log_uniform, sigmas.ddpm]
)
@pytest.mark.parametrize("steps", [1, 2, 18, 1000])
def test_every_grid_falls_to_zero(grid, steps):
  found = grid(steps)
  assert found.shape == (steps + 1,) and found[-1] == 0
  assert (np.diff(found) < 0).all()


def test_ddpm_has_no_more_steps_than_its_schedule():
  for steps in (0, 1001):
    with pytest.raises(ValueError, match="steps"):
      sigmas.ddpm(steps)


def test_karras_with_a_high_rho_is_log_uniform():
  np.testing.assert_allclose(
    sigmas.karras(20, rho=1e4)[:-1], sigmas.log_uniform(20)[:-1], rtol=2e-3
  )


def test_training_levels_have_their_distribution():
  log = np.log(sigmas.draw_log_normal(jax.random.key(0), 100_000))
  assert abs(log.mean() + 1.2) < 0.02 and abs(log.std() - 1.2) < 0.02
  log = np.log(sigmas.draw_log_uniform(jax.random.key(0), 100_000))
  low, high = np.log(0.002), np.log(80)
  assert low <= log.min() and log.max() <= high
  assert abs(log.mean() - (low + high) / 2) < 0.05
  assert abs(log.std() - (high - low) / 12**0.5) < 0.05
