"""Enlargement by a denoiser of residuals, in closed form.

Pixels are independent Gaussians of variance V, and small images the means of 2
x 2 of them: given a small image, the mean is its pixels repeated, and the
covariance V (1 - P), with P the projection onto constant squares.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from support.hinted_run import hinted_run

from jaxgen.config.parse import parse
from jaxgen.diffusion.edm import per_image
from jaxgen.errors import UserError
from jaxgen.images import downsample_matrix, normalize, upsample_matrix
from jaxgen.sample.hints import make_hints
from jaxgen.tasks import families

SIDE, V = 8, 0.06
DOWN, UP = downsample_matrix(SIDE, SIDE // 2), upsample_matrix(SIDE // 2, SIDE)
REPEAT = np.kron(np.eye(SIDE // 2), np.ones((2, 1)))  # (SIDE, SIDE / 2)
INVERSE = np.linalg.pinv(UP)


def both(matrix, x):
  return jnp.einsum("ai,bj,nijc->nabc", matrix, matrix, x)


def exact(y, sigma, cond: Any = None):
  """The posterior mean of a residual, given its hint."""
  hint = cond["hint"][..., :1]
  mean = both(REPEAT @ INVERSE, hint) - hint
  detail = (y - mean) - both(REPEAT @ DOWN, y - mean)
  return mean + per_image(V / (V + sigma**2)) * detail


def residual_run(denoise, **hint):
  plain = hinted_run(denoise, SIDE, drop_prob=0.0, **hint)
  config = plain.experiment.to_dict()
  config["diffusion"] |= {"target": "residual", "conditions": ()}
  experiment = parse(config)
  task = families.build(experiment, {})
  return dataclasses.replace(
    plain,
    experiment=experiment,
    names={},
    task=dataclasses.replace(task, denoiser=lambda params: denoise),
  )


@pytest.fixture(scope="module")
def run():
  return residual_run(exact)


@pytest.fixture(scope="module")
def low():
  return np.random.default_rng(0).integers(80, 176, (1, 4, 4, 1), np.uint8)


def test_the_hint_of_a_small_image_is_that_of_its_large_one(run):
  x = np.random.default_rng(0).uniform(-1, 1, (2, SIDE, SIDE, 1))
  x = x.astype(np.float32)
  small = np.asarray(both(DOWN, x))
  repeated = small.repeat(2, axis=1).repeat(2, axis=2)
  hints = make_hints(run, x)
  np.testing.assert_allclose(make_hints(run, repeated), hints, atol=1e-6)
  np.testing.assert_allclose(hints, both(UP, small), atol=1e-6)


def test_paints_have_the_posterior_of_the_image(run, low):
  """Each reduces to the small image, their mean is its pixels repeated, and
  their variance 3/4 of V."""
  num = 600
  given = np.broadcast_to(low, (num, *low.shape[1:]))
  drawn = run.upscale(given, batch=num, sampler="heun", steps=32)
  assert drawn.shape == (num, SIDE, SIDE, 1) and drawn.dtype == np.uint8
  x = np.asarray(normalize(drawn))
  want = np.asarray(normalize(low))
  # the mean of 4 pixels that are rounded, and rarely clipped
  assert np.std(np.asarray(both(DOWN, x)) - want) < 0.004
  error = 4 * np.sqrt(V / num)
  np.testing.assert_allclose(
    x.mean(0, keepdims=True), both(REPEAT, want), atol=error
  )
  assert x.var(0).mean() == pytest.approx(0.75 * V, rel=0.07)


def test_images_of_any_size_keep_their_place_in_the_seed(run, low):
  fast = {"sampler": "euler", "steps": 4}
  other = np.random.default_rng(1).integers(60, 190, (6, 9, 1), np.uint8)
  found = run.upscale([low[0], other], seed=3, **fast)
  assert [x.shape for x in found] == [(8, 8, 1), (12, 18, 1)]
  alone = run.upscale([other], seed=3, first=1, **fast)[0]
  np.testing.assert_array_equal(alone, found[1])
  assert (run.upscale([other], seed=4, first=1, **fast)[0] != alone).any()


def test_other_runs_and_sizes_are_refused(run, low):
  with pytest.raises(UserError, match="hint.kind=lowres"):
    hinted_run().upscale(low)
  with pytest.raises(UserError, match="^images: .* 4 .*got 4 x 3"):
    run.upscale(low[:, :3])
