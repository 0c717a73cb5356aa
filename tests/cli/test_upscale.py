"""Verbs on upscalers: what evaluation writes, and flags of other runs."""

import argparse
import csv
import json

import numpy as np
import pytest
from PIL import Image
from support.hinted_run import hinted_run
from support.toy_upscaler import toy_run, toy_upscaler

from jaxgen.cli import evaluate_upscaling, inputs, upscale
from jaxgen.errors import UserError


@pytest.fixture(scope="module")
def run():
  return toy_run(toy_upscaler())


def arguments(**given):
  known = {"input": None, "num": 8, "seed": None, "consistent": False}
  return argparse.Namespace(**{**known, "tile": None, **given})


def test_evaluation_writes_what_it_prints(run, tmp_path, capsys):
  rng = np.random.default_rng(0)
  (tmp_path / "in").mkdir()
  for name in ("a", "b"):
    image = rng.integers(60, 200, (33, 35), np.uint8)
    Image.fromarray(image).save(tmp_path / f"in/{name}.png")
  args = arguments(input=str(tmp_path / "in"))
  evaluate_upscaling.evaluate(run, args, tmp_path)
  found = json.loads((tmp_path / "metrics.json").read_text())
  assert found["images"] == 2 and found["degradation"] == "bicubic"
  model = found["metrics"]["model"]
  mean = found["intervals"]["model"]["psnr"][0]
  assert mean == pytest.approx(model["psnr"], rel=1e-5)
  lines = (tmp_path / "per_image.csv").read_text().splitlines()
  rows = list(csv.DictReader(lines))
  assert [x["image"] for x in rows] == ["a.png", "b.png"]
  values = [float(x["model psnr"]) for x in rows]
  assert np.mean(values) == pytest.approx(model["psnr"], rel=1e-4)
  assert f"{model['psnr']:.2f}" in capsys.readouterr().out
  assert (tmp_path / "compare.png").stat().st_size > 1_000


def test_flags_of_other_runs_are_refused(run, tmp_path):
  for flag in ("tiled", "fit", "upsample"):
    with pytest.raises(UserError, match=f"^--{flag} is for"):
      evaluate_upscaling.evaluate(run, arguments(**{flag: True}), tmp_path)
  for flag, value in (("seed", 3), ("sampler", "heun")):
    with pytest.raises(UserError, match=f"^--{flag} is for denoisers"):
      upscale._enlargement(run, arguments(**{flag: value}))
  for flag, value in (("tile", 64), ("consistent", True)):
    with pytest.raises(UserError, match=f"^--{flag} is for task=upscale"):
      upscale._enlargement(hinted_run(), arguments(**{flag: value}))


def test_runs_of_other_kinds_are_refused(run):
  with pytest.raises(UserError, match="^--workdir=toy: .*got task=upscale"):
    inputs.require_generator(run)
  other = hinted_run()
  assert inputs.require_generator(other) is other
  kind = type(run)
  with pytest.raises(UserError, match="^--upscaler=run: .*an upscaler"):
    inputs.require_kind(other, kind, "an upscaler", flag="upscaler")
