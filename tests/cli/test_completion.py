"""Completions as a shell asks for them."""

import os
import subprocess
import sys

import pytest


def completions(line, tmp_path):
  answer = tmp_path / "answer"
  asked = {
    "_ARGCOMPLETE": "1",
    "_ARGCOMPLETE_IFS": "\n",
    "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
    "COMP_LINE": line,
    "COMP_POINT": str(len(line)),
  }
  command = [sys.executable, "-m", "jaxgen.cli.main"]
  subprocess.run(command, env=os.environ | asked, cwd=tmp_path, check=True)
  return set(answer.read_text().split())


@pytest.mark.parametrize(
  ("line", "expected"),
  [
    ("jaxgen int", {"interpolate"}),
    ("jaxgen sample --sampl", {"--sampler"}),
    ("jaxgen compare --features=al", {"--features=alexnet"}),
    ("jaxgen plan --config=textures_e", {"--config=textures_edm"}),
    ("jaxgen plan --config=sweeps/pa", {"--config=sweeps/patch_latent"}),
    ("jaxgen restore --input=fra", {"--input=frames.tif"}),
  ],
)
def test_verbs_flags_values_configs_and_paths(line, expected, tmp_path):
  (tmp_path / "frames.tif").touch()
  assert {x.rstrip() for x in completions(line, tmp_path)} == expected
