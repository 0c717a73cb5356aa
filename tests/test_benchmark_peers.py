"""`scripts/benchmark_peers.py`, without PyTorch."""

import importlib
import json

import pytest
from support.configs import ROOT


@pytest.fixture
def script(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT / "scripts"))
  return importlib.import_module("benchmark_peers")


def test_a_network_is_timed(script, tmp_path, capsys):
  out = tmp_path / "times.json"
  args = ["--smallest", "--rounds=2", "--only=patch_ae,sampling"]
  script.main([*args, f"--json={out}"])
  rows = json.loads(out.read_text())["rows"]
  parts = [(x["network"], x["pass"]) for x in rows]
  assert parts == [
    ("patch_ae", "forward"),
    ("patch_ae", "train"),
    ("unet", "sample"),
  ]
  for row in rows:
    seconds = row["seconds"]["jaxgen"]
    assert len(seconds["wall"]) == len(seconds["cpu"]) == 2
    assert min(seconds["wall"]) > 0
  lines = capsys.readouterr().out.splitlines()
  assert [x.count("|") for x in lines[:6]] == [9] * 6


def test_an_unknown_network_is_an_error(script, capsys):
  with pytest.raises(SystemExit):
    script.main(["--only=unet,other"])
  assert "--only" in capsys.readouterr().err


def test_weights_have_pytorch_names_and_axes(script):
  cases = importlib.import_module("peers.cases")
  process = importlib.import_module("peers.torch_process")
  weights = process.torch_weights(cases.smallest(cases.UNET).weights())
  assert weights["conv_in.weight"].shape == (8, 3, 3, 3)
  assert weights["level_0_down_0.film.weight"].shape == (32, 32)
  assert weights["norm_out.weight"].shape == (8,)
