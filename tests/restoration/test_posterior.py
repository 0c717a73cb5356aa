import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import analytic, sigmas
from jaxgen.diffusion.inversion import invert, truncate
from jaxgen.diffusion.samplers import euler, heun
from jaxgen.diffusion.tiling import _places, windowed
from jaxgen.laws import diffusion as laws
from jaxgen.laws.diffusion import COVARIANCE
from jaxgen.restoration.posterior import inpaint

MIXTURE = analytic.mixture((-0.6, 0.6), 0.15)
GAUSSIAN = analytic.gaussian(0.0, 0.5)


def noise(shape, seed=0):
  return jnp.asarray(
    np.random.default_rng(seed).normal(size=shape), jnp.float32
  )


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

  def spy(x, sigma):
    jax.debug.callback(
      lambda s, v: seen.append((s, v)), sigma[0], x[:, :16].var()
    )
    return GAUSSIAN(x, sigma)

  grid = sigmas.karras(10)
  x = grid[0] * noise((4, 32, 32, 1))
  mask = jnp.zeros((4, 32, 32, 1), bool).at[:, :16].set(True)
  jax.block_until_ready(euler(inpaint(spy, 0 * x, mask), x, grid))
  jax.effects_barrier()
  assert len({float(sigma) for sigma, _ in seen}) == 10
  for sigma, variance in seen:
    assert float(variance) == pytest.approx(float(sigma) ** 2, rel=0.1)


correlated = analytic.correlated(COVARIANCE)


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
def test_the_answer_is_the_posterior_mean(sigma):
  """Also of several images and noise levels at a time."""
  assert laws.posterior_off(sigma) < 2e-3


def test_images_are_corrected_one_by_one():
  x, known = noise((3, 1, 16, 1)), noise((3, 1, 16, 1), 1)
  mask = jnp.zeros((3, 1, 16, 1), bool).at[:, :, 3:11].set(True)
  sigma = jnp.full(3, 0.7)
  whole = inpaint(correlated, known, mask)(x, sigma)
  alone = inpaint(correlated, known[1:2], mask[1:2])(x[1:2], sigma[1:2])
  np.testing.assert_allclose(whole[1:2], alone, atol=1e-6)


def test_corrections_close_the_seam_of_a_known_image():
  """Its continuation on a larger canvas, in windows: steps of grey levels at
  its border, as multiples of those in what is new."""
  chol = jnp.asarray(np.linalg.cholesky(COVARIANCE))
  known = jnp.einsum("ij,bhjc->bhic", chol, noise((128, 16, 16, 1), 1))
  canvas = jnp.concatenate([known, jnp.zeros_like(known)], 2)
  mask = jnp.arange(32)[None, None, :, None] < 16
  grid = sigmas.karras(18)
  start = grid[0] * noise(canvas.shape)
  windows, ratios = windowed(correlated, 16, 8), []
  for corrections in range(3):
    out = heun(inpaint(windows, canvas, mask, corrections), start, grid)
    steps = jnp.abs(jnp.diff(out[..., 0], axis=2)).mean((0, 1))
    ratios.append(float(steps[15] / steps[16:].mean()))
  none, one, two = ratios
  assert none > 1.45 and one < 1.28 and two < 1.18


@pytest.mark.parametrize("shape", [(16, 16), (24, 40), (17, 16)])
def test_windows_agree_where_the_denoiser_is_local(shape):
  """Pixelwise denoisers need no neighbours: any canvas gives their answer."""
  x = noise((2, *shape, 3))
  sigma = jnp.array([0.3, 2.0])
  wide = windowed(MIXTURE, 16, 8)(x, sigma)
  np.testing.assert_allclose(wide, MIXTURE(x, sigma), atol=1e-5)


def test_windows_leave_no_seam():
  """A denoiser whose answer depends on the place within its window: averaged,
  neighbours differ no more at the windows' edges than elsewhere."""

  def tilted(x, sigma):
    ramp = jnp.linspace(-1, 1, x.shape[2])[None, None, :, None]
    return jnp.broadcast_to(ramp, x.shape)

  out = windowed(tilted, 16, 8)(jnp.zeros((1, 16, 64, 1)), jnp.ones(1))
  steps = np.abs(np.diff(out[0, 0, :, 0]))
  assert steps.max() < 2.5 * 2 / 15  # a window's own step is 2 / 15
  seams = windowed(tilted, 16, 0)(jnp.zeros((1, 16, 64, 1)), jnp.ones(1))
  assert np.abs(np.diff(seams[0, 0, :, 0])).max() > 1.9  # without overlap


def test_a_canvas_is_covered_with_the_fewest_windows():
  for width, want in ((16, 1), (17, 2), (24, 2), (25, 3), (64, 7)):
    assert len(_places(width, 16, 8)) == want


def test_a_large_canvas_takes_some_windows_at_a_time():
  """Their number is bounded, and so is memory; 17 are two times 9."""
  seen = []

  def count(x, sigma):
    assert len(x) == len(sigma)
    seen.append(len(x))
    return MIXTURE(x, sigma)

  x, sigma = noise((2, 16, 144, 1)), jnp.array([0.3, 2.0])
  wide = windowed(count, 16, 8)(x, sigma)
  assert seen == [2 * 9]
  np.testing.assert_allclose(wide, MIXTURE(x, sigma), atol=1e-5)


def test_programs_do_not_grow_with_the_canvas_or_the_corrections():
  def size(width, corrections):
    x = jnp.zeros((1, 16, width, 1))
    run = inpaint(windowed(MIXTURE, 16, 8), x, x > 0, corrections)
    text = str(jax.make_jaxpr(run)(x, jnp.ones(1)))
    return sum(line.count(" = ") for line in text.splitlines())

  assert size(1024, 9) == size(512, 2)


def test_inversion_finds_the_noise_that_gives_the_image():
  images = 0.6 * jnp.sign(noise((2, 8, 8, 1))) + 0.1 * noise((2, 8, 8, 1), 1)
  errors = []
  for steps in (20, 40, 80):
    grid = sigmas.karras(steps)
    back = heun(MIXTURE, invert(MIXTURE, images, grid), grid)
    errors.append(float(jnp.abs(back - images).max()))
  assert errors[2] < 0.01 and errors[2] < errors[1] < errors[0]
  grid = sigmas.karras(80)
  start = invert(GAUSSIAN, images, grid)
  np.testing.assert_allclose(start, images * np.hypot(0.5, 80) / 0.5, rtol=0.02)


def test_strength_is_the_share_of_steps():
  grid = sigmas.karras(20)
  np.testing.assert_array_equal(truncate(grid, 1.0), grid)
  assert len(truncate(grid, 0.5)) == 11 and truncate(grid, 0.5)[-1] == 0
  assert len(truncate(grid, 0.001)) == 2
