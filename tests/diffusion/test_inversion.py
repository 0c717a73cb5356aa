import jax.numpy as jnp
import numpy as np
from support.arrays import noise

from jaxgen.diffusion import analytic, samplers, sigmas
from jaxgen.diffusion.inversion import invert, truncate
from jaxgen.diffusion.sampling import sample


def test_inversion_finds_the_noise_that_gives_the_image():
  denoise = analytic.mixture((-0.6, 0.6), 0.15)
  images = 0.6 * jnp.sign(noise((2, 8, 8, 1))) + 0.1 * noise((2, 8, 8, 1), 1)
  errors = []
  for steps in (20, 40, 80):
    grid = sigmas.karras(steps)
    back = sample(samplers.heun, denoise, invert(denoise, images, grid), grid)
    errors.append(float(jnp.abs(back - images).max()))
  assert errors[2] < 0.01 and errors[2] < errors[1] < errors[0]
  grid = sigmas.karras(80)
  start = invert(analytic.gaussian(0.0, 0.5), images, grid)
  np.testing.assert_allclose(start, images * np.hypot(0.5, 80) / 0.5, rtol=0.02)


def test_strength_is_the_share_of_steps():
  grid = sigmas.karras(20)
  np.testing.assert_array_equal(truncate(grid, 1.0), grid)
  assert len(truncate(grid, 0.5)) == 11 and truncate(grid, 0.5)[-1] == 0
  assert len(truncate(grid, 0.001)) == 2
