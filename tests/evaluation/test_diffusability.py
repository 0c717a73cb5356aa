"""The probe of latents, on distributions whose answer is known."""

import functools

import numpy as np
import pytest

from jaxgen import rng
from jaxgen.diffusion import analytic
from jaxgen.evaluation import latent_probe
from jaxgen.evaluation.diffusability import held_out_loss, measure

STEPS = 800
STD = 0.15  # of a mode


def gaussian(n: int, seed: int) -> np.ndarray:
  """Correlated Gaussian latents; all calls have the same distribution."""
  mix = np.random.default_rng(7).normal(size=(4, 4))
  return (np.random.default_rng(seed).normal(size=(n, 4)) @ mix).astype("f4")


def modes(n: int, seed: int) -> np.ndarray:
  """Independent numbers near -1 or 1."""
  draw = np.random.default_rng(seed)
  signs = np.sign(draw.normal(size=(n, 4)))
  return (signs + STD * draw.normal(size=(n, 4))).astype("f4")


def grid(n: int, seed: int) -> np.ndarray:
  """Gaussian grids, of which each position is correlated with all others."""
  mix = np.random.default_rng(7).normal(size=(12, 12))
  drawn = np.random.default_rng(seed).normal(size=(n, 12)) @ mix
  return drawn.reshape(n, 2, 2, 3).astype("f4")


def signs(n: int, seed: int) -> np.ndarray:
  """Grids of one sign: positions are known from one another."""
  draw = np.random.default_rng(seed)
  sign = np.sign(draw.normal(size=(n, 1, 1, 1)))
  return (sign + STD * draw.normal(size=(n, 2, 2, 1))).astype("f4")


@functools.cache
def ratio(name, steps=STEPS):
  """The ratio of 4,096 and 1,024 latents; the last is a map of the second."""
  if name == "mapped":
    mix = np.random.default_rng(3).normal(size=(4, 4)) + 2 * np.eye(4)
    draw = lambda n, seed: (modes(n, seed) @ mix * 30 + 100).astype("f4")  # noqa: E731
  else:
    draw = DRAWS[name]
  return measure(draw(4096, 0), draw(1024, 1), seed=0, steps=steps).ratio


DRAWS = {"gaussian": gaussian, "modes": modes, "grid": grid, "signs": signs}


def test_before_training_the_ratio_is_one():
  assert ratio("modes", steps=0) == 1.0


@pytest.mark.parametrize("name", ["gaussian", "grid"])
def test_gaussian_latents_have_nothing_to_learn(name):
  assert ratio(name, 200) == pytest.approx(1, abs=0.01)


def test_a_transformer_learns_what_positions_of_grids_have_in_common():
  assert ratio("signs", 200) < 0.9


def test_drawn_latents_have_the_covariance_of_gaussian_ones():
  latents = grid(4096, 0)
  probe = latent_probe.begin(latents, seed=0)
  drawn = probe.draw(4096, latents.shape[1:], seed=0)
  assert drawn.shape == latents.shape
  found, wanted = (np.cov(x.reshape(4096, -1).T) for x in (drawn, latents))
  assert np.linalg.norm(found - wanted) < 0.1 * np.linalg.norm(wanted)


def test_two_modes_are_learned_but_not_beyond_the_exact_denoiser():
  states = latent_probe.begin(modes(4096, 0), seed=0)
  y, key = states.states(modes(1024, 1)), rng.stream(0, "x")
  scale = 0.5 / (1 + STD**2) ** 0.5
  exact = analytic.mixture([-scale, scale], STD * scale)
  losses = [held_out_loss(x, y, key) for x in (exact, states.gaussian)]
  assert float(losses[0] / losses[1]) <= ratio("modes") < 0.9


def test_the_ratio_does_not_depend_on_an_affine_map():
  assert ratio("mapped") == pytest.approx(ratio("modes"), rel=0.02)


def test_fewer_latents_than_dimensions_are_probed():
  draw = np.random.default_rng(0).normal(size=(16, 32)).astype("f4")
  found = measure(draw[8:], draw[:8], seed=0, steps=2)
  assert found.ratio == pytest.approx(1, abs=0.1) and found.seconds > 0
