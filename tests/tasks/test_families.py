"""Model families, and the values of their conditions in the data."""

import pytest
from support.configs import toy, toy_denoiser, toy_vae

from jaxgen.config.experiment import TASK_SECTIONS
from jaxgen.config.parse import parse
from jaxgen.data import sources
from jaxgen.errors import UserError
from jaxgen.tasks import families

ROCKS = ("rock_type", "zoom_level")


def rocks(config, **sections):
  for name, values in ({"data": {"source": "rocks"}} | sections).items():
    config[name].update(values)
  return parse(config)


@pytest.mark.parametrize("name", TASK_SECTIONS)
def test_a_family_is_a_module(name):
  family = families.family(name)
  assert callable(family.build) and callable(family.conditions)


def test_a_task_has_the_resolution_of_its_stage_by_default():
  stages = {"resolution": (32, 64), "patch_size": (0, 32)}
  experiment = parse(toy(stages=stages))
  shape = lambda **where: (  # noqa: E731
    families.build(experiment, {}, **where).model
  )
  first = shape(stage=0)
  assert first.grid == (2, 2) and first.options.patch_size == 16
  assert shape().options.patch_size == 32  # of the last stage
  assert shape(stage=0, resolution=64).grid == (4, 4)


def test_a_resolution_that_the_model_cannot_have_is_refused():
  with pytest.raises(UserError, match="model.patch_size"):
    families.build(parse(toy()), {}, resolution=36)


def test_conditions_are_those_of_the_task():
  values = families.condition_values
  assert values(parse(toy())) == {}
  found = values(rocks(toy_denoiser(), diffusion={"conditions": ROCKS}))
  assert set(ROCKS) <= found.keys() and all(map(len, found.values()))
  label = {"classification": 0.1, "label": "rock_type"}
  assert values(rocks(toy_vae(), loss=label))["rock_type"] == found["rock_type"]


def test_where_no_conditions_are_used_no_data_are_read(monkeypatch):
  def read(*_):
    raise AssertionError

  monkeypatch.setattr(sources, "build", read)
  assert families.condition_values(parse(toy_denoiser())) == {}
  with pytest.raises(AssertionError):
    families.all_condition_values(parse(toy()))


def test_all_conditions_include_labels():
  found = families.all_condition_values(parse(toy()))
  assert found == {"label": ("brick", "grass", "gravel")}
