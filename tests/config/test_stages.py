"""The section `stages`, and the ends of adaptive stages."""

import dataclasses

import pytest

from jaxgen.config.stages import (
  AdvancePolicy,
  Stage,
  from_columns,
  to_columns,
)
from jaxgen.errors import UserError


def test_only_what_a_schedule_says_leaves_the_shapes_of_a_stage():
  """Any other field may change what is computed."""
  stage = Stage(resolution=16, images=64, batch_size=32)
  for field in dataclasses.fields(Stage):
    before = getattr(stage, field.name)
    value = "full" if field.name == "remat" else before + 1
    if field.name == "accumulate":
      value = 2 * before
    changed = dataclasses.replace(stage, **{field.name: value})
    scheduled = ("images", "learning_rate_factor", "warmup_images")
    same = field.name in (*scheduled, "fade_images")
    assert (changed.shapes == stage.shapes) == same, field.name


def test_a_stage_that_does_not_improve_ends():
  stage = Stage(resolution=16, images=64, batch_size=32)
  policy = AdvancePolicy(window=100, tolerance=0.1, minimum=0.2)
  due = lambda *scores: policy.due(stage, scores)  # noqa: E731
  assert not due((50, 10.0))  # no window yet
  assert not due((50, 10.0), (150, 10.2))
  assert due((50, 10.0), (150, 10.05))
  assert not due((50, 10.0), (100, 10.2), (150, 9.0))
  late = AdvancePolicy(window=10, tolerance=0.1, minimum=1.0)
  assert not late.due(stage, ((10, 1.0), (50, 1.0)))
  assert late.due(stage, ((10, 1.0), (64, 1.0)))


def test_a_stage_does_not_end_before_its_fade():
  policy = AdvancePolicy(window=10, tolerance=0.1, minimum=0.0)
  stage = Stage(images=64, batch_size=32, fade_images=48)
  assert not policy.due(stage, ((10, 1.0), (40, 1.0)))
  assert policy.due(stage, ((10, 1.0), (50, 1.0)))


def test_columns_of_equal_length_or_of_one_entry_become_stages():
  found = from_columns(
    {"images": (10, 20), "batch_size": (4, 8), "accumulate": (1, 2)}
    | {"resolution": (32,)}
  )
  assert [x.images for x in found] == [10, 20]
  assert [x.accumulate for x in found] == [1, 2]
  assert [x.resolution for x in found] == [32, 32]
  assert [x.length for x in found] == [12, 24]  # in whole batches


def test_columns_and_back():
  stages = from_columns({"images": (10, 20), "resolution": (32, 32)})
  columns = to_columns(stages)
  assert columns["images"] == (10, 20) and columns["resolution"] == (32,)
  assert from_columns(columns) == stages


@pytest.mark.parametrize(
  ("columns", "named"),
  [
    ({}, "stages"),
    ({"images": ()}, "stages"),
    ({"images": 3}, "stages.images"),
    ({"images": (1, 2), "batch_size": (1, 1, 1)}, "images: 2, batch_size: 3"),
    ({"rate": (1.0,)}, "stages.rate"),
    ({"fade_images": (3,), "images": (2,)}, "stages.fade_images=3"),
  ],
)
def test_columns_that_make_no_sense_are_refused(columns, named):
  with pytest.raises(UserError, match=named):
    from_columns(columns)
