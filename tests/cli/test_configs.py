"""The list of configs, and copies of them."""

import re

import pytest

import jaxgen
from jaxgen.cli import configs
from jaxgen.cli.main import main
from jaxgen.config import files


def test_every_config_is_listed_with_what_it_is(capsys):
  assert main(["configs"]) == 0
  lines = capsys.readouterr().out.splitlines()
  names = [x for x in lines if not x.startswith(" ")]
  assert names == list(configs.listed()) and "sweeps/latent_design" in names
  known = {x.stem for x in files.CONFIGS.glob("*.py")} - {"reference_table"}
  assert set(names) >= known
  for name in names:
    found = configs.describe(files.CONFIGS / f"{name}.py")
    assert found.title.endswith((".", ":")) and "`smoke`" in found.variants
  assert max(map(len, lines)) <= 80


def test_a_copy_is_the_same_config(tmp_path, capsys):
  out = tmp_path / "mine.py"
  argv = ["configs", "--copy=rocks_edm", f"--out={out}"]
  assert main(argv) == 0
  assert f"--config={out}" in capsys.readouterr().out
  copied = jaxgen.config(f"{out}:smoke").to_dict()
  assert copied == jaxgen.config("rocks_edm:smoke").to_dict()
  assert main(argv) == 2
  assert "it exists" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("flags", "says"),
  [
    (["--show=rock_edm"], "--show=rock_edm: .*lists. Did you mean rocks_edm"),
    (["--copy=../setup"], "--copy=../setup: expected a name"),
    (["--out=x.py"], "--out: expected --copy"),
    (["--show=a", "--copy=b"], "not allowed with"),
  ],
)
def test_bad_flags_are_refused(capsys, flags, says):
  assert main(["configs", *flags]) == 2

  assert re.search(says, capsys.readouterr().err)
