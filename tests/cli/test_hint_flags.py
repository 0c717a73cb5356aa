"""--hint: which images become hints."""

import argparse
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.hinted_run import hinted_run

from jaxgen.cli import hint_flags
from jaxgen.errors import UserError
from jaxgen.sample.options import SamplingKeywords


def added(model, num=5, *, drawn=False, **flags) -> dict[str, Any]:
  """The options that flags add for `num` images."""
  args = {
    "hint": None,
    "hint_noise": None,
    "control_scale": None,
    "upsample": False,
  } | flags
  options: SamplingKeywords = {}
  hint_flags.add_to(
    options, model, argparse.Namespace(**args), num=num, drawn=drawn
  )
  return dict(options)


@pytest.fixture
def folder(tmp_path):
  """Two images and two masks."""
  for name, values in (("images", (60, 200)), ("masks", (0, 1))):
    (tmp_path / name).mkdir()
    for i, value in enumerate(values):
      image = np.full((8, 8), value, np.uint8)
      Image.fromarray(image).save(tmp_path / name / f"{i}.png")
  return tmp_path


def test_images_are_used_in_turn(folder):
  found = added(hinted_run(), hint=str(folder / "images"))["hint"]
  assert found.shape == (5, 8, 8, 1)
  assert found[:, 0, 0, 0].tolist() == [60, 200, 60, 200, 60]
  one = added(hinted_run(), hint=str(folder / "images/1.png"))["hint"]
  assert (one == 200).all()


def test_masks_are_used_in_turn(folder):
  run = hinted_run(kind="segments", num_classes=2, factor=4)
  found = added(run, hint=str(folder / "masks"))["hint"]
  assert found[:, 0, 0].tolist() == [0, 1, 0, 1, 0]
  white = np.full((8, 8), 255, np.uint8)
  Image.fromarray(white).save(folder / "masks/1.png")  # black and white
  found = added(run, hint=str(folder / "masks"))["hint"]
  assert found[:, 0, 0].tolist() == [0, 1, 0, 1, 0]


def test_held_out_tiles_are_hints():
  found = added(hinted_run(side=32), 3, hint="validation")["hint"]
  assert found.shape == (3, 32, 32, 1)
  run = hinted_run(side=32, kind="segments", num_classes=9, factor=4)
  masks = added(run, 3, hint="validation")["hint"]
  assert masks.shape == (3, 32, 32) and masks.dtype.kind == "i"


def test_hints_have_the_sizes_of_the_images_that_are_edited(folder):
  wide = np.tile(np.arange(16, dtype=np.uint8), (8, 1))
  Image.fromarray(wide).save(folder / "images/1.png")
  run, args = hinted_run(), {"hint": str(folder / "images"), "upsample": False}
  args = argparse.Namespace(**args, hint_noise=None, control_scale=None)
  small, large = hint_flags.add_sized({}, run, args, [(16, 16), (8, 16)])
  assert small.shape == (16, 16, 1) and (small == 60).all()
  np.testing.assert_array_equal(large[..., 0], wide)
  with pytest.raises(UserError, match="--hint=.*proportions .* 16 x 8"):
    hint_flags.add_sized({}, run, args, [(8, 16), (8, 16)])


def test_a_hint_may_be_absent_where_training_had_none():
  assert added(hinted_run()) == {}
  always = hinted_run(drop_prob=0.0)
  assert added(always, drawn=True) == {}
  with pytest.raises(UserError, match="--hint: .*hint.kind=lowres"):
    added(always)


@pytest.mark.parametrize(
  ("hint", "flags", "says"),
  [
    ({"kind": ""}, {"hint": "images"}, "--hint=images"),
    ({"kind": ""}, {"hint_noise": 0.1}, "--hint_noise=0.1"),
    ({}, {"hint_noise": 0.1}, "--hint_noise=0.1"),
    ({}, {"control_scale": 0.5}, "--control_scale=0.5"),
    ({}, {"hint": "nowhere"}, "nowhere"),
    (
      {"kind": "segments", "num_classes": 2, "factor": 4},
      {"hint": "nowhere"},
      "--hint=nowhere",
    ),
  ],
)
def test_flags_that_do_not_fit_are_named(hint, flags, says):
  with pytest.raises(UserError, match=says):
    added(hinted_run(**hint), **flags)
