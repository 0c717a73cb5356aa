"""Config files, and the configs saved in workdirs."""

import json
import pathlib
import re
import tomllib

import pytest
from support.configs import ROOT, every_config, toy, toy_denoiser

from jaxgen.config import defaults, files
from jaxgen.config.parse import parse
from jaxgen.errors import UserError

SMOKE = f"{ROOT}/configs/textures_patch_ae.py:smoke"


@pytest.mark.parametrize("path", every_config(), ids=lambda x: x.split("/")[-1])
def test_what_is_saved_is_read_back_equal(tmp_path, path):
  experiment = files.load_experiment(path, [])
  files.save_experiment(experiment, tmp_path / "config.json")
  assert files.read_experiment(tmp_path / "config.json") == experiment


def test_a_range_that_was_only_the_default_is_not_applied_to_integers(tmp_path):
  """Older runs recorded (0, 1), which would clip images of 8 bits."""
  path = tmp_path / "config.json"
  files.save_experiment(files.load_experiment("folder_edm:smoke", []), path)
  recorded = json.loads(path.read_text())
  recorded["data"]["value_range"] = [0.0, 1.0]
  path.write_text(json.dumps(recorded))
  assert files.read_experiment(path).data.value_range == (0.0, 1.0)
  del recorded["data"]["page"]
  path.write_text(json.dumps(recorded))
  assert files.read_experiment(path).data.value_range == ()


def test_a_config_has_a_name_as_well():
  assert files.load_config("textures_patch_ae:smoke", []) == files.load_config(
    SMOKE, []
  )


def test_wheels_contain_every_config():
  """Through the link `jaxgen/configs`; setuptools expands the patterns."""
  project = tomllib.loads((pathlib.Path(ROOT) / "pyproject.toml").read_text())
  patterns = project["tool"]["setuptools"]["package-data"]["jaxgen"]
  package = files.CONFIGS.parent
  packed = {x for pattern in patterns for x in package.glob(pattern)}
  configs = pathlib.Path(ROOT, "configs").rglob("*.py")
  assert {x.resolve() for x in configs} <= {x.resolve() for x in packed}


def test_overrides_reach_the_config():
  flags = [
    "--config.optimizer.learning_rate=3e-4",
    "--config.stages.images=(64,)",
  ]
  config = files.load_config(SMOKE, flags)
  assert config.optimizer.learning_rate == 3e-4
  assert config.stages.images == (64,)
  assert files.load_experiment(SMOKE, flags) == parse(config)


@pytest.mark.parametrize(
  ("argument", "names"),
  [
    ("--config.optimizer.lr=1", "optimizer.lr"),
    ("--config.optimizer.learning_rat=1", "optimizer.learning_rate"),
    ("--config.optimizer.learning_rate=fast", "learning_rate=fast: expected"),
    ("--config.model.width=5.5", "model.width=5.5: expected an integer"),
    ("--config.data.flips=maybe", "data.flips=maybe: expected"),
    ("--config.data.mirror=True", "hflip"),
    ("--config.learning_rat=1", "optimizer.learning_rate"),
    ("--config.dat.seed=1", "--config.dat.seed"),
    ("--config.task=nothing", "--config.task=nothing: "),
    ("--config.train.fit=auto", "train.fit"),
    ("--config.loss.reconstruction=l1", "loss.reconstruction"),
    ("--other=1", "--other"),
  ],
)
def test_a_bad_override_is_refused_by_name(argument, names):
  with pytest.raises(UserError) as error:
    files.load_config(SMOKE, [argument])
  assert names in str(error.value)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("text", "says"),
  [
    (None, "no such file"),
    ("def get_config(:\n", "line 1"),
    ("import nowhere_at_all\n", "nowhere_at_all"),
    ("x = 1\n", "get_config"),
    (
      "def get_config(v=''):\n  raise ValueError('bad variant')\n",
      "bad variant",
    ),
  ],
)
def test_a_broken_file_is_one_line(tmp_path, text, says):
  path = tmp_path / "c.py"
  if text is not None:
    path.write_text(text)
  with pytest.raises(UserError) as error:
    files.load_config(str(path), [])
  assert says in str(error.value) and str(path) in str(error.value)
  assert "\n" not in str(error.value)


def test_a_damaged_or_missing_saved_config_is_named(tmp_path):
  path = tmp_path / "config.json"
  with pytest.raises(UserError, match="config.json"):
    files.read_experiment(path)
  path.write_text(json.dumps({"a": 1})[:4])
  with pytest.raises(UserError, match="config.json is damaged"):
    files.read_experiment(path)


@pytest.mark.parametrize("value", [None, 3, "x", [1]])
@pytest.mark.parametrize("name", ["task", "seed", "data", "loss", "stages"])
def test_a_saved_config_with_a_wrong_section_is_damaged(tmp_path, name, value):
  path = tmp_path / "config.json"
  config = defaults.autoencoder().to_dict()
  right = type(config[name])
  config[name] = value
  path.write_text(json.dumps(config))
  if not isinstance(value, right):
    with pytest.raises(UserError, match=f"damaged: .*{name}"):
      files.read_experiment(path)
  path.write_text("[1, 2]")
  with pytest.raises(UserError, match="damaged"):
    files.read_experiment(path)


@pytest.mark.parametrize(
  ("section", "field"),
  [
    ("train", "fit"),
    ("train", "bank_tiles"),
    ("loss", "reconstruction"),
    ("data", "mirror"),
    ("stages", "rate"),
  ],
)
def test_a_field_that_is_no_longer_known_is_refused_by_name(
  tmp_path, section, field
):
  path = tmp_path / "config.json"
  config = toy().to_dict()
  config[section][field] = "x"
  path.write_text(json.dumps(config))
  with pytest.raises(UserError, match=f"damaged: {section}.{field}"):
    files.read_experiment(path)


def test_a_saved_config_without_a_field_gets_the_default(tmp_path):
  path = tmp_path / "config.json"
  config = toy().to_dict()
  del config["train"]["init_from"], config["kl"], config["batch"]
  path.write_text(json.dumps(config))
  assert files.read_experiment(path) == parse(toy())


def test_a_saved_denoiser_from_before_hints_and_latents_is_read(tmp_path):
  path = tmp_path / "config.json"
  config = toy_denoiser().to_dict()
  del config["hint"], config["latent"]
  del config["diffusion"]["target"], config["model"]["time_frequency"]
  path.write_text(json.dumps(config))
  assert files.read_experiment(path) == parse(toy_denoiser())


@pytest.mark.parametrize(
  ("change", "says"),
  [
    ("c.lr = 3", "lr"),
    ("c.optimiser = c.optimizer", "optimizer"),
    ("del c.stages", "stages"),
    ("del c.seed", "seed"),
    ("c.loss = None", "loss"),
    ("c = c.to_dict()", "get_config()"),
    ("c.task = 'magic'", "task='magic'"),
    ("import sys; sys.exit(3)", "3"),
  ],
)
def test_the_top_level_of_a_config_file_is_checked(tmp_path, change, says):
  path = tmp_path / "c.py"
  path.write_text(
    "from jaxgen.config.defaults import autoencoder\n"
    f"def get_config():\n  c = autoencoder()\n  {change}\n  return c\n"
  )
  with pytest.raises(UserError, match=re.escape(says)) as error:
    files.load_experiment(str(path), [])
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ['{"a.b": 1}', "[" * 100_000, "null", "7"])
def test_a_saved_config_that_is_none_is_damaged(tmp_path, text):
  path = tmp_path / "config.json"
  path.write_text(text)
  with pytest.raises(UserError, match="damaged"):
    files.read_experiment(path)
