import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from support.arrays import noise

from jaxgen.diffusion import analytic, guidance
from jaxgen.diffusion.edm import per_image
from jaxgen.diffusion.tiling import windowed

MIXTURE = analytic.mixture((-0.6, 0.6), 0.15)


@pytest.mark.parametrize("shape", [(16, 16), (24, 40), (17, 16)])
def test_windows_agree_where_the_denoiser_is_local(shape):
  """Pixelwise denoisers need no neighbors: any canvas gives their answer."""
  x = noise((2, *shape, 3))
  sigma = jnp.array([0.3, 2.0])
  wide = windowed(MIXTURE, side=16, overlap=8)(x, sigma)
  np.testing.assert_allclose(wide, MIXTURE(x, sigma), atol=1e-5)


def test_windows_leave_no_seam():
  """A denoiser whose answer depends on the place within its window: averaged,
  neighbors differ no more at the windows' edges than elsewhere."""

  def tilted(x, sigma, cond: Any = None):
    ramp = jnp.linspace(-1, 1, x.shape[2])[None, None, :, None]
    return jnp.broadcast_to(ramp, x.shape)

  x, sigma = jnp.zeros((1, 16, 64, 1)), jnp.ones(1)
  out = windowed(tilted, side=16, overlap=8)(x, sigma)
  steps = np.abs(np.diff(out[0, 0, :, 0]))
  assert steps.max() < 2.5 * 2 / 15  # a window's own step is 2 / 15
  seams = windowed(tilted, side=16, overlap=0)(x, sigma)
  assert np.abs(np.diff(seams[0, 0, :, 0])).max() > 1.9  # without overlap


def test_a_large_canvas_takes_some_windows_at_a_time():
  """Their number is bounded, and so is memory; 17 are two times 9."""
  seen = []

  def count(x, sigma, cond: Any = None):
    assert len(x) == len(sigma)
    seen.append(len(x))
    return MIXTURE(x, sigma)

  x, sigma = noise((2, 16, 144, 1)), jnp.array([0.3, 2.0])
  wide = windowed(count, side=16, overlap=8)(x, sigma)
  assert seen == [2 * 9]
  np.testing.assert_allclose(wide, MIXTURE(x, sigma), atol=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (24, 40), (16, 144)])
def test_a_condition_of_pixels_comes_back_where_it_was(shape):
  """A denoiser that answers with its dense condition, on any canvas."""
  hint, x = noise((2, *shape, 3)), jnp.zeros((2, *shape, 3))

  def echo(x, sigma, cond: Any = None):
    return cond["hint"]

  wide = windowed(echo, side=16, overlap=8)(x, jnp.ones(2), {"hint": hint})
  np.testing.assert_allclose(wide, hint, atol=1e-6)


def local(x, sigma, cond: Any = None):
  """A pixelwise denoiser under a label, a vector and a dense condition."""
  push = per_image(cond["label"] + cond["vector"].sum(1))
  return MIXTURE(x, sigma) + push + cond["hint"].mean(-1, keepdims=True)


def conditions(shape):
  return {
    "label": jnp.array([1, -2]),
    "vector": noise((2, 5), 1),
    "hint": noise((2, *shape, 4), 2),
  }


@pytest.mark.parametrize("shape", [(16, 16), (24, 40), (16, 144)])
def test_conditions_go_with_their_windows(shape):
  """Pixelwise, windows give the answer of the whole canvas, conditions of each
  image and of each pixel included."""
  x, sigma = noise((2, *shape, 3)), jnp.array([0.3, 2.0])
  cond = conditions(shape)
  wide = windowed(local, side=16, overlap=8)(x, sigma, cond)
  np.testing.assert_allclose(wide, local(x, sigma, cond), atol=1e-5)


def test_windows_and_guidance_commute_where_the_denoiser_is_local():
  shape, sigma = (24, 40), jnp.array([0.3, 2.0])
  x, cond = noise((2, *shape, 3)), conditions(shape)
  pair = {k: jnp.zeros_like(v) for k, v in cond.items()}, cond
  cut = functools.partial(windowed, side=16, overlap=8)
  guide = functools.partial(guidance.compose, weights=[2.0])
  want = guide(local)(x, sigma, pair)
  for denoise in (cut(guide(local)), guide(cut(local))):
    np.testing.assert_allclose(denoise(x, sigma, pair), want, atol=1e-5)


@pytest.mark.parametrize(
  "shape", [(), (3,), (2, 16, 16, 1), (2, 24, 39, 1), (1, 24, 40, 1)]
)
def test_conditions_of_another_canvas_are_refused(shape):
  wide = windowed(MIXTURE, side=16, overlap=8)
  with pytest.raises(ValueError, match="cond"):
    wide(jnp.zeros((2, 24, 40, 1)), jnp.ones(2), {"hint": jnp.zeros(shape)})
