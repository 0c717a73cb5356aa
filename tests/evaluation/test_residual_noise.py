import numpy as np

from jaxgen.evaluation.residual_noise import gaussian_residuals


def test_the_noise_has_the_spectrum_and_the_colors_of_the_residuals():
  """Blurred noise of two channels that are correlated, one of them shifted."""
  rng = np.random.default_rng(0)
  white = rng.normal(size=(400, 8, 8, 1))
  smooth = white + np.roll(white, 1, axis=1)
  residuals = np.concatenate([smooth, 0.5 * np.roll(smooth, 2, axis=2)], -1)
  found = gaussian_residuals(residuals, 4000)
  assert found.shape == (4000, 8, 8, 2)

  def moments(x):
    waves = np.fft.fft2(x, axes=(1, 2), norm="ortho")
    return np.einsum("nhwc,nhwd->hwcd", waves, waves.conj()) / len(x)

  want, got = moments(residuals), moments(found)
  assert np.abs(got - want).max() < 0.12 * np.abs(want).max()
  ahead = np.mean(found[..., 0] * np.roll(found[..., 1], -2, axis=2))
  assert abs(ahead - 1) < 0.1  # half of the variance, 2 of a sum of two
  assert abs(np.mean(found[..., 0] * found[..., 1])) < 0.1


def test_draws_differ_and_are_repeated_by_a_seed():
  residuals = np.random.default_rng(1).normal(size=(8, 4, 4, 1))
  one, same = (gaussian_residuals(residuals, 2, seed=3) for _ in range(2))
  np.testing.assert_array_equal(one, same)
  assert np.abs(one[0] - one[1]).max() > 0.1
  assert np.abs(one - gaussian_residuals(residuals, 2, seed=4)).max() > 0.1
