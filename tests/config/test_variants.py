"""Small variants of configs."""

import pytest
from support.configs import FILES, variants

from jaxgen.config import defaults, files
from jaxgen.config.models import MODELS
from jaxgen.config.parse import parse
from jaxgen.config.upscalers import UPSCALERS
from jaxgen.config.variants import demo, smoke, upscaler_demo, upscaler_smoke
from jaxgen.errors import UserError


@pytest.mark.parametrize("path", FILES, ids=lambda x: x.name)
def test_every_config_file_loads_with_every_variant_that_it_knows(path):
  known = variants(path)
  assert "smoke" in known
  for variant in known:
    name = f"{path}:{variant}" if variant else str(path)
    assert files.load_experiment(name, []).stages
  assert path.name in path.read_text()  # the command in its docstring


@pytest.mark.parametrize("path", FILES, ids=lambda x: x.name)
def test_an_unknown_variant_is_refused(path):
  with pytest.raises(UserError, match="'nonsense': .*smoke") as error:
    files.load_config(f"{path}:nonsense", [])
  assert len(str(error.value)) < 200


@pytest.mark.parametrize("name", [x for x in MODELS if x not in UPSCALERS])
def test_the_sizes_of_variants_are_fields_of_their_model(name):
  """And fit together, at 32 pixels, or as vectors."""
  model = getattr(defaults, name)()
  base = defaults.autoencoder if "autoencoder" in name else defaults.denoiser
  small = smoke(base(model))
  small.stages.resolution = (1 if name == "mlp" else 32,)
  assert parse(small).model.name == name
  if MODELS[name].demo:
    shrunk = parse(demo(base(getattr(defaults, name)())))
    assert all(
      getattr(shrunk.model, k) == v for k, v in MODELS[name].demo.items()
    )


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("name", UPSCALERS)
def test_so_are_those_of_upscalers(name, factor):
  for variant, sizes in ((upscaler_demo, "demo"), (upscaler_smoke, "smoke")):
    config = defaults.upscaler(getattr(defaults, name)())
    config.data.factor = factor
    found = parse(variant(config))
    assert found.stages[0].resolution % factor == 0
    want = getattr(MODELS[name], sizes)
    assert {k: getattr(found.model, k) for k in want} == want
