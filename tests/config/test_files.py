import json
import pathlib
import re

import pytest

from jaxgen.config import defaults
from jaxgen.config import files as configs
from jaxgen.errors import UserError
from jaxgen.config.losses import LossConfig
from jaxgen.tasks import families

ROOT = pathlib.Path(__file__).parents[2]
SMOKE = f"{ROOT}/configs/textures_patch_ae.py:smoke"


def test_what_is_saved_is_read_back_equal(tmp_path):
  config = configs.load_config(SMOKE, [])
  configs.save_config(config, tmp_path / "config.json")
  again = configs.read_config(tmp_path / "config.json")
  assert configs.differences(config, again) == []
  assert again.stages.images == config.stages.images  # tuples again


def test_overrides_reach_the_config_and_show_as_differences():
  plain = configs.load_config(SMOKE, [])
  changed = configs.load_config(
    SMOKE,
    ["--config.optimizer.learning_rate=3e-4", "--config.stages.images=(64,)"],
  )
  assert changed.optimizer.learning_rate == 3e-4
  assert changed.stages.images == (64,)
  found = configs.differences(plain, changed)
  assert [line.split(":")[0] for line in found] == [
    "optimizer.learning_rate",
    "stages.images",
  ]


@pytest.mark.parametrize(
  ("argument", "names"),
  [
    ("--config.optimizer.lr=1", "optimizer.lr"),
    ("--config.optimizer.learning_rat=1", "optimizer.learning_rate"),
    ("--config.optimizer.learning_rate=fast", "learning_rate=fast"),
    ("--config.model.width=5.5", "model.width"),
    ("--config.data.flips=maybe", "data.flips"),
    ("--other=1", "--other"),
  ],
)
def test_a_bad_override_is_refused_by_name(argument, names):
  with pytest.raises(UserError) as error:
    configs.load_config(SMOKE, [argument])
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
    configs.load_config(str(path), [])
  assert says in str(error.value) and str(path) in str(error.value)
  assert "\n" not in str(error.value)


def test_a_damaged_or_missing_saved_config_is_named(tmp_path):
  path = tmp_path / "config.json"
  with pytest.raises(UserError, match="holds no run"):
    configs.read_config(path)
  path.write_text(json.dumps({"a": 1})[:4])
  with pytest.raises(UserError, match="damaged"):
    configs.read_config(path)


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
      configs.read_config(path)
  path.write_text("[1, 2]")
  with pytest.raises(UserError, match="damaged"):
    configs.read_config(path)


def test_a_run_of_an_older_version_gets_the_defaults(tmp_path):
  path = tmp_path / "config.json"
  config = defaults.autoencoder().to_dict()
  del config["train"]["init_from"], config["kl"], config["batch"]
  config["train"] |= {"fit": "auto", "memory_gib": 2.0}
  config["loss"] = {"reconstruction": "l1"}
  path.write_text(json.dumps(config))
  found = configs.read_config(path)
  assert (
    found.train.init_from == ""
    and found.kl.to_dict() == defaults.kl().to_dict()
  )
  assert LossConfig.read(found.loss).weights == {"l1": 1.0}
  assert found.batch.to_dict() == {"fit": "auto", "memory_gib": 2.0}
  assert "fit" not in found.train


def test_every_config_file_loads_with_every_variant_it_names():
  files = sorted((ROOT / "configs").glob("*.py"))
  assert files
  for path in files:
    for variant in ("", ":smoke", ":demo", ":finer"):
      optional = variant in (":demo", ":finer")
      if optional and variant[1:] not in path.read_text():
        continue
      config = configs.load_config(f"{path}{variant}", [])
      assert families.stages(config)  # whose numbers go together
      base = configs.flatten(defaults.BASES[config.task]())
      model = lambda keys: {k for k in keys if k.startswith("model.")}  # noqa: E731
      keys = configs.flatten(config).keys()
      assert keys - model(keys) == base.keys() - model(base)
      assert path.name in path.read_text()  # the command in its docstring


def test_a_field_that_has_moved_is_told():
  path = str(ROOT / "configs/rocks_patch_ae.py")
  with pytest.raises(UserError, match="it is --config.batch.fit now"):
    configs.load_config(path, ["--config.train.fit=auto"])


def test_an_unknown_variant_is_refused():
  for path in (ROOT / "configs").glob("*.py"):
    with pytest.raises(UserError, match="no variant 'nonsense'; there is") as e:
      configs.load_config(f"{path}:nonsense", [])
    assert len(str(e.value)) < 200


@pytest.mark.parametrize(
  ("change", "says"),
  [
    ("c.lr = 3", "lr: a config has no such"),
    ("c.optimiser = c.optimizer", "did you mean optimizer?"),
    ("del c.stages", "'stages' is missing or wrong"),
    ("del c.seed", "'seed' is missing or wrong"),
    ("c.loss = None", "'loss' is missing or wrong"),
    ("c = c.to_dict()", "does not return a jaxgen config"),
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
    configs.load_config(str(path), [])
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ['{"a.b": 1}', "[" * 100_000, "null", "7"])
def test_a_saved_config_that_is_none_is_damaged(tmp_path, text):
  path = tmp_path / "config.json"
  path.write_text(text)
  with pytest.raises(UserError, match="damaged"):
    configs.read_config(path)
