import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise
from support.operators import dense

from jaxgen.diffusion import analytic, guidance, samplers, sigmas
from jaxgen.diffusion.sampling import sample
from jaxgen.diffusion.tiling import windowed
from jaxgen.laws import diffusion as laws
from jaxgen.laws.diffusion import COVARIANCE
from jaxgen.restoration import operators
from jaxgen.restoration.noise import GaussianNoise
from jaxgen.restoration.operators import Measurement, Operator
from jaxgen.restoration.posterior import guide, inpaint

MIXTURE = analytic.mixture((-0.6, 0.6), 0.15)
GAUSSIAN = analytic.gaussian(0.0, 0.5)
heun = functools.partial(sample, samplers.heun)
correlated = analytic.correlated(COVARIANCE)
SIGMA = jnp.array([0.2, 0.7, 3.0])
ROW = (3, 1, 16, 1)
SEEN = jnp.zeros(ROW, bool).at[:, :, 3:11].set(True)
VARIANCE = 0.3 * jnp.linspace(0.1, 1.0, 16).reshape(1, 1, 16, 1)
BLUR = np.exp(-(np.subtract.outer(2 * np.arange(8) + 0.5, np.arange(16)) ** 2))


def posterior_mean(x, y, matrix, variance):
  """D + C A' (A C A' + S)^-1 (y - A D) of rows of correlated pixels."""
  means, double = [], functools.partial(np.asarray, dtype=np.float64)
  for noisy, seen, sigma in zip(double(x), double(y), SIGMA, strict=True):
    share = COVARIANCE @ np.linalg.inv(COVARIANCE + sigma**2 * np.eye(16))
    d, c = share @ noisy[0, :, 0], sigma**2 * share
    inverse = np.linalg.inv(matrix @ c @ matrix.T + np.diag(variance))
    means.append(d + c @ matrix.T @ inverse @ (seen[0, :, 0] - matrix @ d))
  return np.stack(means)[:, None, :, None]


CASES = ["mask", "noisy mask", "noisy", "dense", "total"]
TOTAL = Operator(  # one number an image
  apply=lambda x: x.sum((1, 2, 3)),
  adjoint=lambda y: jnp.broadcast_to(y[:, None, None, None], ROW),
)


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_the_posterior_mean_of_a_measurement(case):
  """Of correlated Gaussian pixels, for each image and its own noise level."""
  every, some = np.eye(16), np.eye(16)[3:11]
  spread = np.asarray(VARIANCE).ravel()
  mask = operators.mask(SEEN)
  operator, variance, matrix, diagonal = {
    "mask": (mask, 0.0, some, np.zeros(8)),
    "noisy mask": (mask, VARIANCE, some, spread[3:11]),
    "noisy": (operators.identity, VARIANCE, every, spread),
    "dense": (dense(BLUR), 0.05, BLUR, np.full(8, 0.05)),
    "total": (TOTAL, 0.3, np.ones((1, 16)), np.full(1, 0.3)),
  }[case]
  x, y = noise(ROW), operator.apply(noise(ROW, 1))
  measured = Measurement(
    operator=operator, values=y, noise=GaussianNoise(variance=variance)
  )
  found = guide(correlated, measured, corrections=20, damping=1e-6)(x, SIGMA)
  seen = y[:, :, 3:11] if "mask" in case else y.reshape(3, 1, -1, 1)
  want = posterior_mean(x, seen, matrix, diagonal)
  np.testing.assert_allclose(found, want, atol=2e-3)


def measured(variance):
  values = jnp.where(SEEN, noise(ROW, 1), 0.0)
  mask = operators.mask(SEEN)
  return Measurement(
    operator=mask, values=values, noise=GaussianNoise(variance=variance)
  )


def test_without_noise_the_guided_denoiser_inpaints():
  x, known = noise(ROW), noise(ROW, 1)
  options = {"corrections": 16, "damping": 1e-6}
  want = inpaint(correlated, known, SEEN, **options)(x, SIGMA)
  for variance in (0.0, 1e-7):
    found = guide(correlated, measured(variance), **options)(x, SIGMA)
    np.testing.assert_allclose(found, want, atol=2e-3)


def test_a_measurement_without_precision_changes_nothing():
  x = noise(ROW)
  plain, errors = correlated(x, SIGMA), []
  for variance in (1.0, 1e3, 1e9):
    found = guide(correlated, measured(variance), corrections=8)(x, SIGMA)
    errors.append(float(jnp.abs(found - plain).max()))
  assert errors[0] > 0.1 > errors[1] > 1e-5 > errors[2]
  found = guide(correlated, measured(0.0), corrections=0)(x, SIGMA)
  np.testing.assert_array_equal(found, plain)


def test_conditions_reach_the_denoiser():
  """Through guidance, windows and the measurement, in this order."""
  seen = []

  def denoise(x, sigma, cond: Any = None):
    seen.append(cond["label"].shape)
    return GAUSSIAN(x, sigma) + 0.0 * cond["hint"]

  x, sigma = noise((2, 16, 24, 1)), jnp.ones(2)
  mask = jnp.arange(24)[None, None, :, None] < 8
  cond = {"label": jnp.arange(2), "hint": noise(x.shape, 2)}
  guided = guidance.compose(denoise, weights=[2.0])
  wide = windowed(guided, side=16, overlap=8)
  out = inpaint(wide, noise(x.shape, 1), mask)(x, sigma, (cond, cond))
  want = inpaint(GAUSSIAN, noise(x.shape, 1), mask)(x, sigma)
  np.testing.assert_allclose(out, want, atol=1e-5)
  assert set(seen) == {(2 * 2 * 2,)}  # images, windows, terms


def test_known_pixels_stay_and_the_rest_is_sampled():
  grid = sigmas.karras(30)
  x = grid[0] * noise((2, 8, 8, 1))
  known = 0.3 * jnp.ones_like(x)
  mask = jnp.zeros((2, 8, 8, 1), bool).at[:, :4].set(True)
  out = heun(inpaint(MIXTURE, known, mask), x, grid)
  np.testing.assert_allclose(out[:, :4], 0.3, atol=1e-5)
  free = heun(MIXTURE, x, grid)  # pixels of this data are independent
  np.testing.assert_allclose(out[:, 4:], free[:, 4:], atol=1e-5)


def test_the_known_part_is_at_the_right_noise_level_all_the_way():
  """What the denoiser sees there has the variance sigma^2 around it."""
  seen = []

  def spy(x, sigma, cond: Any = None):
    jax.debug.callback(
      lambda s, v: seen.append((s, v)), sigma[0], x[:, :16].var()
    )
    return GAUSSIAN(x, sigma)

  grid = sigmas.karras(10)
  x = grid[0] * noise((4, 32, 32, 1))
  mask = jnp.zeros((4, 32, 32, 1), bool).at[:, :16].set(True)
  filled = inpaint(spy, 0 * x, mask)
  jax.block_until_ready(sample(samplers.euler, filled, x, grid))
  jax.effects_barrier()
  assert len({float(sigma) for sigma, _ in seen}) == 10
  for sigma, variance in seen:
    assert float(variance) == pytest.approx(float(sigma) ** 2, rel=0.1)


def filled(**options):
  """Rows that continue one known half: their means and covariance, and those
  of the closed form."""
  grid = sigmas.karras(32)
  half = 0.5 * jnp.sin(jnp.arange(16.0) / 2)
  known = jnp.broadcast_to(half[None, None, :, None], (8, 512, 16, 1))
  mask = jnp.zeros((8, 1, 16, 1), bool).at[:, :, :8].set(True)
  denoise = inpaint(correlated, known, mask, **options)
  out = heun(denoise, grid[0] * noise(known.shape), grid)
  new = np.asarray(out[:, :, 8:, 0]).reshape(-1, 8)
  a, b, c = COVARIANCE[:8, :8], COVARIANCE[8:, :8], COVARIANCE[8:, 8:]
  gain = b @ np.linalg.inv(a)
  want = gain @ np.asarray(half[:8]), c - gain @ b.T
  return new.mean(0), np.cov(new.T), *want


def test_what_is_new_has_the_closed_form_posterior():
  """Of Gaussian data: as many corrections as known pixels are exact."""
  mean, covariance, want_mean, want_covariance = filled(
    corrections=8, damping=1e-6
  )
  np.testing.assert_allclose(mean, want_mean, atol=0.03)
  np.testing.assert_allclose(covariance, want_covariance, atol=0.02)


def test_corrections_come_closer_than_replacement():
  """Also damped, as they are by default: errors of mean and covariance."""
  errors = []
  for corrections in range(3):
    found, spread, mean, covariance = filled(corrections=corrections)
    pairs = ((found, mean), (spread, covariance))
    errors.append([np.abs(a - b).max() for a, b in pairs])
  none, one, two = np.array(errors)
  assert one[1] < none[1] / 3 and (two < none / 2).all()


@pytest.mark.parametrize("sigma", [0.1, 0.7, 3.0])
def test_what_is_filled_in_is_the_posterior_mean(sigma):
  """Also of several images and noise levels at a time."""
  assert laws.inpainting_difference(sigma) < 2e-3


def test_images_are_corrected_one_by_one():
  x, known = noise((3, 1, 16, 1)), noise((3, 1, 16, 1), 1)
  mask = jnp.zeros((3, 1, 16, 1), bool).at[:, :, 3:11].set(True)
  sigma = jnp.full(3, 0.7)
  whole = inpaint(correlated, known, mask)(x, sigma)
  alone = inpaint(correlated, known[1:2], mask[1:2])(x[1:2], sigma[1:2])
  np.testing.assert_allclose(whole[1:2], alone, atol=1e-6)


def test_corrections_close_the_seam_of_a_known_image():
  """Its continuation on a larger canvas, in windows: steps of gray levels at
  its border, as multiples of those in what is new."""
  chol = jnp.asarray(np.linalg.cholesky(COVARIANCE))
  known = jnp.einsum("ij,bhjc->bhic", chol, noise((128, 16, 16, 1), 1))
  canvas = jnp.concatenate([known, jnp.zeros_like(known)], 2)
  mask = jnp.arange(32)[None, None, :, None] < 16
  grid = sigmas.karras(18)
  start = grid[0] * noise(canvas.shape)
  windows, ratios = windowed(correlated, side=16, overlap=8), []
  for corrections in range(3):
    denoise = inpaint(windows, canvas, mask, corrections=corrections)
    out = heun(denoise, start, grid)
    steps = jnp.abs(jnp.diff(out[..., 0], axis=2)).mean((0, 1))
    ratios.append(float(steps[15] / steps[16:].mean()))
  none, one, two = ratios
  assert none > 1.45 and one < 1.28 and two < 1.18


def test_programs_do_not_grow_with_the_canvas_or_the_corrections():
  def size(width, corrections):
    x = jnp.zeros((1, 16, width, 1))
    wide = windowed(MIXTURE, side=16, overlap=8)
    run = inpaint(wide, x, x > 0, corrections=corrections)
    text = str(jax.make_jaxpr(run)(x, jnp.ones(1)))
    return sum(line.count(" = ") for line in text.splitlines())

  assert size(1024, 9) == size(512, 2)
