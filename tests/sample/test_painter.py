"""Hybrids: an autoencoder with a denoiser of what it lacks, both in closed
form."""

import functools

import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.images import as_uint8
from jaxgen.laws import hybrid
from jaxgen.sample import latent_sampling, tiled
from jaxgen.windows import window_grid

FAST = {"sampler": "euler", "steps": 4}
EXACT = {"sampler": "heun", "steps": 48}


@pytest.fixture(scope="module")
def run():
  """A hybrid with latents of training tiles."""
  found = hybrid.hybrid()
  latents = found.encode(hybrid.images(20_000, seed=5), batch=20_000)
  coder = found.autoencoder
  coder._cache[(latent_sampling.training_latents,)] = latents
  return found


def close(a, b):
  return np.abs(a.astype(int) - b.astype(int)).max() <= 1


def test_image_i_is_a_function_of_the_seed_and_i(run):
  x = hybrid.images(11)
  whole = run.reconstruct(x, seed=1, **FAST)
  assert whole.shape == (11, 8, 8, 1) and whole.dtype == np.uint8
  assert close(run.reconstruct(x[:5], seed=1, batch=8, **FAST), whole[:5])
  assert not close(run.reconstruct(x, seed=2, **FAST), whole)
  drawn = run.sample(11, seed=1, method="gaussian", **FAST)
  again = run.sample(5, seed=1, method="gaussian", batch=8, **FAST)
  assert close(again, drawn[:5])


def test_equal_images_are_painted_differently(run):
  x = np.repeat(hybrid.images(1), 6, 0)
  assert len(np.unique(run.reconstruct(x, **FAST).reshape(6, -1), axis=0)) == 6


def test_a_reconstruction_is_the_decoded_code_and_a_paint_of_the_image(run):
  x = hybrid.images(4)
  rebuilt = run.reconstruct(x, seed=3, **FAST)
  np.testing.assert_array_equal(
    run.decode(run.encode(x), seed=3, **FAST), rebuilt
  )
  painted = run.sample(4, seed=3, hint=x, **FAST)
  assert close(painted, rebuilt)
  twice = run.sample(6, seed=3, hint=x, **FAST)  # in turn
  assert close(twice[:4], rebuilt) and not close(twice[4:], rebuilt[:2])


def test_new_images_are_painted_draws_of_the_autoencoder(run):
  """With equal seeds, at equal places; the paint has noise of its own."""
  plain = run.autoencoder.sample(64, seed=4, method="gaussian")
  painted = run.sample(64, seed=4, method="gaussian", **EXACT)
  lacking = (painted.astype(float) - plain) / 127.5
  expected = np.sqrt(np.trace(hybrid.residual_covariance()) / hybrid.SIDE)
  assert lacking.std() == pytest.approx(expected, rel=0.05)
  correlation = np.corrcoef(lacking.ravel(), plain.ravel())[0, 1]
  assert abs(correlation) < 0.05


def test_new_images_have_the_covariance_of_the_data(run):
  """Of the latents and the paint together: S."""
  num = 4096
  x = run.sample(num, method="gaussian", batch=num, **EXACT)
  rows = (x[..., 0] / 127.5 - 1).reshape(-1, hybrid.SIDE)
  expected = hybrid.covariance()
  error = np.linalg.norm(np.cov(rows.T) - expected) / np.linalg.norm(expected)
  assert error < 0.03


def test_the_way_between_two_equal_images_stands_still(run):
  """All frames are painted with one noise, also that of stochastic samplers."""
  a, b = hybrid.images(2)
  for sampler in ("euler", "edm_stochastic"):
    options = {"sampler": sampler, "steps": 4}
    way = functools.partial(run.interpolate, seed=1, options=options)
    frames = way(a, a, 5)
    assert all(close(x, frames[0]) for x in frames)
    moving = way(a, b, 5)
    np.testing.assert_array_equal(moving[0], frames[0])
    assert not close(moving[4], moving[0])
  other = run.interpolate(a, a, 2, seed=2, options=options)
  assert not close(other[0], frames[0])


def test_large_images_are_painted_as_a_whole(run):
  """Their reconstruction comes from windows, and so does the paint; the mean of
  many paints is the reconstruction."""
  grid = window_grid(12, 20, side=8, overlap=2)
  image = np.random.default_rng(0).normal(0, 0.2, (12, 20, 1))
  image = image.clip(-1, 1).astype(np.float32)
  windows = lambda: list(grid.cut(image)) * 32  # noqa: E731
  grids = [grid] * 32
  paints = np.stack([*run.reconstruct_images(windows(), grids, **EXACT)])
  assert paints.shape == (32, 12, 20, 1) and paints.dtype == np.uint8
  hint = next(
    tiled.reconstruct_images(
      run.autoencoder, windows()[: len(grid)], [grid], finish=np.asarray
    )
  )
  lacking = paints / 127.5 - 1 - hint
  error = lacking.std() / np.sqrt(32)
  assert np.abs(lacking.mean(0)).max() < 6 * error
  assert abs(lacking.mean()) < 1 / 127.5
  assert not close(paints[0], as_uint8(hint))


def test_images_of_several_sizes_are_painted_in_order(run):
  small, large = hybrid.images(1)[0], np.zeros((8, 16, 1), np.float32)
  order = [small, large, small]
  grids = [window_grid(*x.shape[:2], side=8) for x in order]
  windows = [w for x, g in zip(order, grids, strict=True) for w in g.cut(x)]
  found = list(run.reconstruct_images(windows, grids, **FAST))
  assert [x.shape for x in found] == [(8, 8, 1), (8, 16, 1), (8, 8, 1)]
  assert not close(found[0], found[2])  # another number, another noise


def test_a_hybrid_needs_its_hints(run):
  from jaxgen.sample import editing, generate

  with pytest.raises(UserError, match="hint"):
    generate.sample(run, 4, **FAST)
  with pytest.raises(UserError, match="hint"):
    editing.edit(run, hybrid.images(2), **FAST)
  for options in ({"hint_noise": 0.5}, {"guidance_weights": {"hint": 2.0}}):
    with pytest.raises(UserError, match=next(iter(options))):
      run.reconstruct(hybrid.images(2), **FAST, **options)


def test_what_a_paint_costs_is_known_without_a_hint(run):
  assert run.network_calls(sampler="heun", steps=4) == 7
  assert run.sampling_bytes(8, **FAST) > 8 * 8 * 8 * 4


def test_a_slight_variation_of_an_image_keeps_its_detail(run):
  """The start is the image's own residual, and the end is at the image."""
  x = hybrid.images(8)
  slight = run.edit(x, hint=x, strength=0.1, sampler="heun", steps=40)
  error = np.sqrt(np.mean((slight / 127.5 - 1 - x) ** 2))
  hints = run.autoencoder.decode_float(run.encode(x))
  assert error < 0.2 * np.sqrt(np.mean((hints - x) ** 2))
