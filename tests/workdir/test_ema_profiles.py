"""Power-function EMA profiles, compared with closed forms."""

import numpy as np
import pytest

from jaxgen.workdir.ema_profiles import (
  Profile,
  combine,
  decay,
  gamma,
  inner_products,
)


@pytest.mark.parametrize(
  ("sigma_rel", "exponent"), [(0.05, 16.9722), (0.10, 6.9372), (0.15, 3.5579)]
)
def test_published_exponents(sigma_rel, exponent):
  assert gamma(sigma_rel) == pytest.approx(exponent, abs=1e-4)


@pytest.mark.parametrize("sigma_rel", [0.05, 0.1, 0.25])
def test_the_ema_of_a_ramp_is_the_analytic_mean(sigma_rel):
  """Of theta(t) = t: t (gamma + 1) / (gamma + 2), with the wanted spread."""
  steps, ema, square = 20_000, 0.0, 0.0
  for i in range(1, steps + 1):
    keep = decay(sigma_rel, 8, 8 * i)
    ema = keep * ema + (1 - keep) * i
    square = keep * square + (1 - keep) * i**2
  g = gamma(sigma_rel)
  assert ema / steps == pytest.approx((g + 1) / (g + 2), rel=1e-3)
  spread = np.sqrt(square - ema**2) / steps
  assert spread == pytest.approx(sigma_rel, rel=5e-3)


def test_inner_products_of_profiles_are_their_integrals():
  t = (np.arange(400_000) + 0.5) / 1000  # midpoints up to 400

  def values(p):
    g = gamma(p.sigma_rel)
    inside = (g + 1) * t**g / p.images ** (g + 1)
    return np.where(t < p.images, inside, 0.0)

  many = [
    Profile(sigma_rel=a, images=n) for a in (0.05, 0.2) for n in (150, 400)
  ]
  for a in many:
    for b in many:
      want = np.sum(values(a) * values(b)) / 1000
      assert inner_products([a], [b]).item() == pytest.approx(want, rel=1e-4)


def test_weights_of_a_known_profile_are_one_and_zeros():
  known = [
    Profile(sigma_rel=x, images=n) for x in (0.05, 0.1) for n in (500, 900)
  ]
  weights, distance = combine(known, known[2])
  np.testing.assert_allclose(weights, [0, 0, 1, 0], atol=1e-6)
  assert distance < 1e-5
