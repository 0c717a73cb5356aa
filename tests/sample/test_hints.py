"""Hints in sampling: given, absent, guided by, in windows."""

from typing import Any

import numpy as np
import pytest
from support.hinted_run import hinted_run as run

from jaxgen.diffusion.edm import per_image
from jaxgen.errors import UserError

FAST = {"sampler": "euler", "steps": 1}  # then the image is D(noise)


@pytest.fixture(scope="module")
def guided():
  return run()


@pytest.fixture(scope="module")
def always():
  return run(drop_prob=0.0)


def images(num=3, shape=(8, 8)):
  """Images that are equal to their hints."""
  levels = np.linspace(-0.8, 0.8, num)[:, None, None, None]
  return np.broadcast_to(levels, (num, *shape, 1)).astype(np.float32)


def floats(x):
  return x.astype(np.float64) / 127.5 - 1


def expect(found, value):
  np.testing.assert_allclose(floats(found), value, atol=0.5 / 127.5 + 1e-5)


def test_a_hint_is_given_or_absent(guided):
  x = images()
  expect(guided.sample(3, hint=x, **FAST), 0.2 * x + 0.3)
  expect(guided.sample(3, **FAST), 0 * x)
  one = guided.sample(3, hint=x[:1], **FAST)  # for all
  expect(one, 0 * x + 0.2 * x[:1] + 0.3)


def test_a_hint_is_guided_by_as_other_conditions_are(guided):
  """D_0 + sum_k w_k (D_k - D_0), with D_0 that has no hint."""
  x, b = images(), {"kind": "b"}
  hint, label = 0.2 * x + 0.3, 0.1
  expect(guided.sample(3, hint=x, guidance=1.5, **FAST), 1.5 * hint)
  both = guided.sample(3, hint=x, conditions=b, guidance=1.5, **FAST)
  expect(both, 1.5 * (hint + label))
  weights = {"hint": 1.5, "kind": 2.0}
  apart = guided.sample(
    3, hint=x, conditions=b, guidance_weights=weights, **FAST
  )
  expect(apart, 1.5 * hint + 2 * label)
  half = guided.sample(
    3, hint=x, conditions=b, guidance_weights={"kind": 2.0}, **FAST
  )
  expect(half, hint + 2 * label)


def test_a_hint_that_every_image_had_is_in_all_terms(always):
  x, b = images(), {"kind": "b"}
  hint = 0.2 * x + 0.3
  expect(always.sample(3, hint=x, **FAST), hint)
  both = always.sample(3, hint=x, conditions=b, guidance=2.0, **FAST)
  expect(both, hint + 2 * 0.1)
  with pytest.raises(UserError, match="guidance=2"):
    always.sample(3, hint=x, guidance=2.0, **FAST)
  with pytest.raises(UserError, match="guidance_weights"):
    always.sample(3, hint=x, guidance_weights={"hint": 2.0}, **FAST)
  with pytest.raises(UserError, match="hint.kind=lowres"):
    always.sample(3, **FAST)


def test_windows_see_their_part_of_the_hint(guided):
  """On a canvas, with guidance."""
  x = images(2, (12, 20)) + np.linspace(-0.2, 0.2, 20)[:, None]
  x = x.astype(np.float32).clip(-1, 1)
  edited = guided.edit(x, hint=x, strength=1.0, guidance=1.5, **FAST)
  hints = guided.sample(2, hint=x[:, :8, :8], **FAST)
  assert edited.shape == (2, 12, 20, 1) and hints.shape == (2, 8, 8, 1)
  inner = floats(edited)[:, :, 2:-2]
  np.testing.assert_allclose(
    inner, 1.5 * (0.2 * x[:, :, 2:-2] + 0.3), atol=1.5 / 127.5
  )


def test_what_is_filled_in_sees_its_part_of_the_hint(guided):
  """Of an image larger than the run's, around the mask alone."""
  ramp = np.linspace(-0.8, 0.8, 24, dtype=np.float32)[:, None]
  x = np.broadcast_to(ramp, (1, 8, 24, 1))
  mask = np.zeros((8, 24), bool)
  mask[3:5, 16:18] = True
  known = np.full((1, 8, 24, 1), 255, np.uint8)
  filled = guided.inpaint(known, mask, hint=x, corrections=0, **FAST)
  found = floats(filled)[:, mask]
  np.testing.assert_allclose(found, 0.2 * x[:, mask] + 0.3, atol=1 / 127.5)
  with pytest.raises(UserError, match="hint: .* 8 x 24"):
    guided.inpaint(known, mask, hint=x[:, :, :8], corrections=0, **FAST)


def test_noise_on_a_hint_is_drawn_by_image_and_told():
  def denoise(x, sigma, cond: Any = None):
    level = cond["hint_noise"][:, 0]
    return cond["hint"][..., :1] / 2 + per_image(level)

  noisy = run(denoise, drop_prob=0.0, noise=0.4)
  x = np.zeros((64, 8, 8, 1), np.float32)
  found = floats(noisy.sample(64, hint=x, hint_noise=0.1, **FAST))
  assert found.mean() == pytest.approx(0.25, abs=0.01)
  assert found.std() == pytest.approx(0.05, rel=0.05)
  some = floats(noisy.sample(8, hint=x[:8], hint_noise=0.1, batch=8, **FAST))
  np.testing.assert_array_equal(some, found[:8])
  expect(noisy.sample(8, hint=x[:8], **FAST), 0)
  with pytest.raises(UserError, match="hint_noise=0.5"):
    noisy.sample(8, hint=x[:8], hint_noise=0.5, **FAST)


@pytest.mark.parametrize(
  ("hint", "says"),
  [
    (np.zeros((3, 8, 8, 3), np.uint8), "images"),
    (np.zeros((2, 8, 8, 1), np.uint8), "hint: .*3.*2"),
    (np.zeros((3, 8, 10, 1), np.uint8), "hint: .* 8 x 8"),
    (np.zeros((3, 8, 9, 1), np.uint8), "hint.factor=2"),
  ],
)
def test_hints_must_fit(guided, hint, says):
  with pytest.raises(UserError, match=says):
    guided.sample(3, hint=hint, **FAST)


def test_hints_are_for_runs_that_have_them():
  plain = run(kind="")
  with pytest.raises(UserError, match="hint.kind"):
    plain.sample(3, hint=images(), **FAST)


def test_masks_are_hints_of_segments():
  def denoise(x, sigma, cond: Any = None):
    return cond["hint"][..., 1:2] / 2

  segments = run(denoise, kind="segments", num_classes=2, factor=4)
  masks = np.zeros((2, 8, 8), np.int32)
  masks[1, :4] = 1
  expect(segments.sample(2, hint=masks, **FAST), masks[..., None] / 2)
  for bad in (masks + 1, masks.astype(np.float32), masks[:, :4]):
    with pytest.raises(UserError, match="hint: "):
      segments.sample(2, hint=bad, **FAST)
