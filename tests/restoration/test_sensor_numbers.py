"""The numbers of a sensor that denoisers are told."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from support.arrays import noise

from jaxgen.diffusion import guidance
from jaxgen.restoration import sensor_numbers
from jaxgen.restoration.counts import measured
from jaxgen.restoration.posterior import restore

KNOWN: dict[str, Any] = {"scale": 10.0, "offset": 12.0, "read_noise": 1.5}
WANT = [np.log(10.0), 0.15, 0.2]


def test_they_are_in_units_of_the_image():
  counts = noise((3, 4, 4, 1)).at[1, 0].set(jnp.nan).at[2].set(jnp.nan)
  found = sensor_numbers.numbers(measured(counts, **KNOWN))
  np.testing.assert_allclose(found[:2], [WANT, WANT], rtol=1e-5)
  assert not np.isfinite(found[2]).all()  # nothing is seen


def test_a_guided_denoiser_is_told_them_in_each_term():
  seen = []

  def spy(x, sigma, cond=None):
    seen.append(cond)
    return x

  guided = guidance.compose(spy, weights=(2.0,))
  pilot = {"kind": jnp.full(2, -1)}, {"kind": jnp.zeros(2, int)}

  def bound(x, sigma, cond=None):
    return guided(x, sigma, pilot if cond is None else cond)

  counts = noise((2, 4, 4, 1)) + 12
  denoise = restore(bound, counts, noise_map=True, **KNOWN)
  denoise(0 * counts, jnp.ones(2), pilot)
  assert set(seen[0]) == {"kind"}  # the pilot's map is even
  np.testing.assert_allclose(seen[1]["sensor"], [WANT] * 4, rtol=1e-5)
  assert seen[1]["kind"].tolist() == [-1, -1, 0, 0]
