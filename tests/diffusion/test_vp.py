import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.diffusion import analytic, sigmas, vp
from jaxgen.diffusion.edm import per_image


def test_the_discrete_process_ends_where_ddpm_s_does():
  assert vp.ABAR[0] == pytest.approx(1 - 1e-4)
  assert vp.ABAR[-1] == pytest.approx(4.036e-5, rel=1e-3)
  assert sigmas.ddpm(1000)[0] == pytest.approx(157.4, rel=1e-3)
  times = vp.time(jnp.asarray(vp.SIGMAS, jnp.float32))
  np.testing.assert_allclose(times, np.arange(1000), atol=0.01)


@pytest.mark.parametrize("kind", ["epsilon", "v"])
def test_epsilon_and_v_networks_become_the_same_denoiser(kind):
  """The best network of each kind, for Gaussian pixels, in DDPM's variables."""

  def clean(z, t):
    abar = per_image(jnp.asarray(vp.ABAR)[jnp.round(t).astype(int)])
    share = 0.3**2 * abar / (0.3**2 * abar + 1 - abar)
    return abar, share * z / jnp.sqrt(abar)

  def epsilon(z, t, cond):
    abar, y = clean(z, t)
    return (z - jnp.sqrt(abar) * y) / jnp.sqrt(1 - abar)

  def v(z, t, cond):
    abar, y = clean(z, t)
    noise = (z - jnp.sqrt(abar) * y) / jnp.sqrt(1 - abar)
    return jnp.sqrt(abar) * noise - jnp.sqrt(1 - abar) * y

  adapt = {"epsilon": vp.from_epsilon, "v": vp.from_v}[kind]
  denoise = adapt({"epsilon": epsilon, "v": v}[kind])
  levels = jnp.asarray(vp.SIGMAS[[0, 10, 300, 700, 999]], jnp.float32)
  x = jax.random.normal(jax.random.key(0), (5, 4, 4, 1))
  x = x * per_image(jnp.sqrt(levels**2 + 0.09))
  want = analytic.gaussian(0.0, 0.3)(x, levels)
  np.testing.assert_allclose(denoise(x, levels), want, atol=2e-3)
