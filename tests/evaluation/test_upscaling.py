"""Scores of an upscaler beside those of interpolation."""

import jax
import numpy as np
import pytest
from support.toy_upscaler import toy_run, toy_upscaler

from jaxgen import bicubic
from jaxgen.errors import UserError
from jaxgen.evaluation import upscaling
from jaxgen.evaluation.upscaling import BICUBIC, CONSISTENT, LANCZOS, MODEL

SIDE = 40


@pytest.fixture(scope="module")
def run():
  return toy_run(toy_upscaler())


@pytest.fixture(scope="module")
def pairs(run):
  """Two tiles of each of two smooth photographs."""
  rng, found = np.random.default_rng(0), []
  for i in range(4):
    noise = rng.normal(size=(SIDE // 2, SIDE // 2, 1)).astype(np.float32)
    smooth = 127 + 20 * bicubic.resize(noise, SIDE, SIDE)
    image = np.clip(smooth, 0, 255).astype(np.uint8)
    pair = upscaling.reduced(run, image, name=str(i), key=i // 2)
    found.append(pair)
  return found


def test_ways_are_scored_against_the_image_in_their_order(run, pairs):
  scores, facts = upscaling.evaluate(run, pairs)
  images = upscaling.enlargements(run, pairs[1].low)
  assert list(scores) == list(images) == list(facts["intervals"])
  truth = pairs[1].image[2:-2, 2:-2].astype(float)
  for way, x in images.items():
    error = np.mean((x[2:-2, 2:-2] - truth) ** 2) / 255**2
    assert scores[way]["psnr"][1] == pytest.approx(-10 * np.log10(error), 1e-4)
  assert len({*(round(float(x["psnr"][0]), 3) for x in scores.values())}) == 5
  gains = scores[MODEL]["psnr"] - scores[BICUBIC]["psnr"]
  mean, low, high = facts["intervals"][MODEL]["gain"]
  assert mean == pytest.approx(np.mean(gains)) and low < mean < high


def test_an_untrained_model_is_bicubic_and_consistency_holds(run, pairs):
  low = pairs[0].low
  plain = toy_run(toy_upscaler())
  params = jax.tree.map(np.zeros_like, plain.params)
  object.__setattr__(plain, "params", params)
  images = upscaling.enlargements(plain, low)
  np.testing.assert_array_equal(images[MODEL], images[BICUBIC])
  assert (images[LANCZOS] != images[BICUBIC]).any()
  consistent = upscaling.enlargements(run, low)[CONSISTENT]
  error = bicubic.reduce(consistent, 2).astype(int) - low
  assert np.abs(error).max() <= 1  # of rounding, and nothing is clipped


def test_tiles_of_one_photograph_count_as_one():
  values = np.asarray([1.0, 3.0, 1.0, 3.0])
  scores = {BICUBIC: {"psnr": 0 * values}, MODEL: {"psnr": values}}
  same = upscaling.intervals(scores, np.asarray([0, 0, 1, 1]))
  assert same[MODEL]["psnr"] == same[MODEL]["gain"] == (2.0, 2.0, 2.0)
  _, low, high = upscaling.intervals(scores, np.arange(4))[MODEL]["psnr"]
  assert low < 1.6 and high > 2.4


def test_the_largest_part_that_fits_is_reduced(run):
  image = np.random.default_rng(0).integers(0, 256, (41, 36, 1), np.uint8)
  pair = upscaling.reduced(run, image, name="a", key=0)
  np.testing.assert_array_equal(pair.image, image[:40, :36])
  np.testing.assert_array_equal(pair.low, bicubic.reduce(image[:40], 2))
  with pytest.raises(UserError, match="^small.png: .*32 x 32"):
    upscaling.reduced(run, image[:31], name="small.png", key=0)


def test_held_out_tiles_know_their_photographs(run):
  pairs = upscaling.held_out_pairs(run, 9)
  assert len(pairs) == 9 and {x.group for x in pairs} == {0, 1, 2}
  assert all(len(x.image) == 2 * len(x.low) for x in pairs)
