"""The defaults of config files are those of the sections."""

import pytest
from support.configs import every_config

from jaxgen.config import defaults
from jaxgen.config.consistency import ConsistencyConfig
from jaxgen.config.control import ControlConfig
from jaxgen.config.experiment import TASK_SECTIONS
from jaxgen.config.fields import field_defaults
from jaxgen.config.files import load_config
from jaxgen.config.models import MODELS
from jaxgen.config.overrides import flatten
from jaxgen.config.parse import SECTIONS, parse
from jaxgen.config.stages import Stage
from jaxgen.config.upscalers import UPSCALERS

BASES = {
  name: defaults.autoencoder(getattr(defaults, name)())
  if "autoencoder" in name
  else defaults.upscaler(getattr(defaults, name)())
  if name in UPSCALERS
  else defaults.denoiser(getattr(defaults, name)())
  for name in MODELS
}


@pytest.mark.parametrize("name", MODELS)
def test_every_field_has_its_section_s_default(name):
  config = BASES[name]
  found = config.to_dict()
  assert found["model"] == field_defaults(MODELS[name])
  columns = {k: (v,) for k, v in field_defaults(Stage).items()}
  assert found["stages"] == columns
  for section in {*TASK_SECTIONS[config.task]} - {"model", "stages"}:
    want = field_defaults(SECTIONS[section])
    if config.task == "diffusion" and section == "optimizer":
      want |= {"ema_sigma_rels": (0.05, 0.10)}
    assert found[section] == want


@pytest.mark.parametrize("name", MODELS)
def test_a_model_s_defaults_fit_together(name):
  config = BASES[name]
  config.stages.resolution = (1 if name == "mlp" else 64,)
  config.data.factor = 2 if name in UPSCALERS else 0
  assert parse(config).model == MODELS[name]()


@pytest.mark.parametrize("path", every_config(), ids=lambda x: x.split("/")[-1])
def test_config_files_have_every_field_and_no_other(path):
  config = load_config(path, [])
  base = flatten(BASES[config.model.name].to_dict())
  if config.task == "consistency":
    base |= flatten({"consistency": field_defaults(ConsistencyConfig)})
  if config.task == "control":
    base |= flatten({"control": field_defaults(ControlConfig)})
  assert flatten(config.to_dict()).keys() == base.keys()
