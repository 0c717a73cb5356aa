"""`jaxgen evaluate --restore`, as users run it."""

import json

import pytest

from jaxgen.cli.main import main


@pytest.mark.slow
def test_it_restores_prints_and_writes(denoiser, tmp_path, capsys):
  """By a run without noise maps, under conditions and with classes."""
  line = (
    f"evaluate --workdir={denoiser} --out={tmp_path} --restore --photons=20"
    " --num=8 --samples=2 --budget=20000 --batch=8"
  )
  assert main(line.split()) == 0
  printed = capsys.readouterr().out
  assert "restoration.json" in printed and "DiffPIR" in printed
  found = json.loads((tmp_path / "restoration.json").read_text())
  ways = {row["way"]: row for row in found["restorations"]}
  assert ways["GCR"]["photons"] == 20
  assert ways["GCR"]["tiles"] == 6  # all held-out ones
  assert found["compared_with"] == "one call, even noise"
  assert found["samples"][0]["samples"] == 2
  assert not found["calibration_by_photons"]
  assert "<svg" in (tmp_path / "restoration.html").read_text()


@pytest.mark.parametrize(
  ("more", "flag"),
  [
    ("--input=x", "--input"),
    ("--guidance=2", "--guidance"),
    ("--budget=10", "--budget"),
  ],
)
def test_flags_that_do_not_fit_are_refused(
  denoiser, tmp_path, capsys, more, flag
):
  line = f"evaluate --workdir={denoiser} --out={tmp_path} --restore {more}"
  assert main(line.split()) == 2
  assert flag in capsys.readouterr().err


def test_an_autoencoder_restores_nothing(trained, tmp_path, capsys):
  line = f"evaluate --workdir={trained} --out={tmp_path} --restore"
  assert main(line.split()) == 2
  assert "--restore" in capsys.readouterr().err
