"""Published ways, beside the updates of their papers, of Gaussian pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise
from support.operators import dense

from jaxgen.diffusion import analytic, samplers, vp
from jaxgen.restoration import operators
from jaxgen.restoration.noise import GaussianNoise
from jaxgen.restoration.operators import Measurement
from jaxgen.restoration.published import diffpir, dps

MEAN, STD, ZETA = 0.1, 0.3, 0.7
SHAPE = (2, 1, 4, 1)


@pytest.mark.parametrize("time", [900, 300, 20])
def test_dps_makes_the_step_of_its_paper(time):
  """In DDPM's own coordinates, from one time to the next."""
  matrix = np.asarray(noise((3, 4), 5), np.float64)
  y, x = noise((2, 1, 3, 1)), np.asarray(noise(SHAPE, 1), np.float64)
  draw = np.asarray(noise(SHAPE, 2), np.float64)
  abar, before, beta = vp.ABAR[time], vp.ABAR[time - 1], vp.BETAS[time]
  s, t = vp.SIGMAS[time], vp.SIGMAS[time - 1]

  gain = STD**2 / (STD**2 + s**2)  # x in DDPM's coordinates: sqrt(abar) z
  clean = MEAN + gain * (x / np.sqrt(abar) - MEAN)
  error = np.asarray(y, np.float64) - np.einsum("ij,bhjc->bhic", matrix, clean)
  norm = np.sqrt((error**2).sum((1, 2, 3), keepdims=True))
  back = np.einsum("ij,bhic->bhjc", matrix, error)
  slope = -2 * gain / np.sqrt(abar) * back
  plain = np.sqrt(1 - beta) * (1 - before) / (1 - abar) * x
  plain = plain + np.sqrt(before) * beta / (1 - abar) * clean
  plain = plain + np.sqrt(beta * (1 - before) / (1 - abar)) * draw
  want = plain - ZETA / norm * slope

  measured = Measurement(operator=dense(matrix), values=y)
  denoise = dps(
    analytic.gaussian(MEAN, STD),
    measured,
    grid=np.append(vp.SIGMAS[::-1], 0.0),
    zeta=ZETA,
  )
  found, *_ = samplers.ddpm.step(
    denoise,
    jnp.asarray(x / np.sqrt(abar), jnp.float32),
    jnp.asarray(s, jnp.float32),
    jnp.asarray(t, jnp.float32),
    noise=lambda k: jnp.asarray(draw, jnp.float32),
    memory=(),
  )
  np.testing.assert_allclose(np.sqrt(before) * found, want, atol=2e-3)


def test_diffpir_makes_the_step_of_its_paper():
  """argmin |y - A x|^2 + rho |x - D|^2, rho = lambda sigma_n^2 / sigma^2."""
  seen = jax.random.bernoulli(jax.random.key(0), 0.5, (2, 1, 4, 1))
  mask = operators.mask(seen)
  y, x, sigma = mask.apply(noise(SHAPE)), noise(SHAPE, 1), jnp.array([0.3, 2.0])
  measured = Measurement(
    operator=mask, values=y, noise=GaussianNoise(variance=0.04)
  )
  denoise = analytic.gaussian(MEAN, STD)
  found = diffpir(denoise, measured, strength=7.0)(x, sigma)
  rho = 7.0 * 0.04 / sigma[:, None, None, None] ** 2
  clean = denoise(x, sigma)
  want = jnp.where(seen, (y + rho * clean) / (1 + rho), clean)
  np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


def test_diffpir_is_for_selected_pixels():
  half = Measurement(
    operator=operators.downsampling(2), values=jnp.ones((1, 1, 1, 1))
  )
  with pytest.raises(ValueError, match="operator"):
    diffpir(analytic.gaussian(), half)
