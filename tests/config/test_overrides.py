"""Overrides of config fields, and differences between configs."""

import pytest
from support.configs import toy, toy_denoiser

from jaxgen.config.overrides import apply_overrides, differences, flatten
from jaxgen.errors import UserError


def test_differences_name_the_field_and_both_values():
  old, new = toy(), toy(optimizer={"learning_rate": 3e-4})
  new.stages.images = (64,)
  found = differences(old.to_dict(), new.to_dict())
  assert [line.split(":")[0] for line in found] == [
    "optimizer.learning_rate",
    "stages.images",
  ]
  assert found[0].endswith("0.002 -> 0.0003")
  assert differences(old.to_dict(), old.to_dict()) == []


def test_nested_mappings_become_dotted_names():
  assert flatten({"a": {"b": {"c": 1}}, "d": (2,)}) == {"a.b.c": 1, "d": (2,)}


def test_overrides_leave_the_config_they_are_applied_to_alone():
  config = toy().to_dict()
  found = apply_overrides(config, {"model.width": 64, "seed": 7})
  assert (found["model"]["width"], found["seed"]) == (64, 7)
  assert config == toy().to_dict()
  assert differences(config, found) == ["model.width: 32 -> 64", "seed: 0 -> 7"]


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("model.widht", 64),
    ("nowhere", 1),
    ("model.width", 0),
    ("model.width", 32.5),
    ("stages.images", 64),
    ("stages.images", (0,)),
    ("data.crop", "randm"),
    ("seed", -1),
    ("task", 3),
  ],
)
def test_a_bad_override_is_refused_by_its_name(field, value):
  with pytest.raises(UserError, match=f"^one: {field}"):
    apply_overrides(toy().to_dict(), {field: value}, "one: ")


def test_fields_are_those_of_the_config_s_model():
  config = toy_denoiser().to_dict()
  assert apply_overrides(config, {"model.depth": 3})["model"]["depth"] == 3
  with pytest.raises(UserError, match="model.encoder_depth"):
    apply_overrides(config, {"model.encoder_depth": 3})
