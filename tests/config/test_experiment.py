"""Parsed configs, their derived values, and conversion to plain data."""

from typing import Any

import pytest
from support.configs import every_config, toy

from jaxgen.config.experiment import TASK_SECTIONS, with_known
from jaxgen.config.files import load_config
from jaxgen.config.overrides import differences, flatten
from jaxgen.config.parse import parse


@pytest.mark.parametrize("path", every_config(), ids=lambda x: x.split("/")[-1])
def test_the_way_to_plain_data_and_back_changes_nothing(path):
  config = load_config(path, [])
  experiment = parse(config)
  plain = experiment.to_dict()
  assert parse(plain) == experiment and parse(plain).to_dict() == plain
  # A column with the same entry for each stage is written as one entry.
  short = parse(config).to_dict() | {"stages": config.stages.to_dict()}
  assert differences(config.to_dict(), short) == []
  assert flatten(plain).keys() == flatten(config.to_dict()).keys()
  assert plain.keys() == {"task", "seed", *TASK_SECTIONS[config.task]}


def test_stages_end_in_whole_batches():
  stages = {"images": (100, 60), "batch_size": (32, 30)}
  experiment = parse(toy(stages=stages))
  assert experiment.lengths == [128, 60] and experiment.ends == [128, 188]


def test_only_adaptive_runs_have_a_policy():
  assert parse(toy()).advance_policy is None
  train = {"advance": "adaptive", "advance_window": 7, "advance_minimum": 0.5}
  policy = parse(toy(train=train)).advance_policy
  assert policy is not None
  assert (policy.window, policy.minimum) == (7, 0.5)


def test_a_stage_has_its_own_patch_size_or_the_models():
  stages = {"resolution": (32, 64), "patch_size": (0, 32)}
  experiment: Any = parse(toy(stages=stages))
  sizes = [experiment.model_at(i).patch_size for i in (0, 1)]
  assert sizes == [experiment.model.patch_size, 32]


def test_only_fields_that_a_section_has_are_changed():
  model = parse(toy()).model
  changed = with_known(model, width=64, no_such_field=3)
  assert changed.width == 64
