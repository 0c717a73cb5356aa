"""The verb `plan`."""

import json

import pytest
from support.faults import command
from support.staged import TWO

from jaxgen.cli.main import main


@pytest.mark.slow
def test_the_verb(tmp_path, capsys):
  flags = [x for x in command(tmp_path, **TWO) if x.startswith("--config")]
  report = tmp_path / "plan.json"
  argv = ["plan", *flags, "--throughput=1e9", f"--json={report}"]
  assert main([*argv, "--memory=1GiB", "--parameters"]) == 0
  said = capsys.readouterr().out
  assert "stage 2 in 1.00 GiB: microbatch 32" in said
  assert said.count("encoder/block_0/mlp/up/kernel") == 2
  found = json.loads(report.read_text())
  first, second = found["stages"]
  assert (first["patches"], second["resolution"]) == (16, 24)
  seconds = 1000 * first["flops_per_image"] / 1e9 / 8  # on 8 devices
  assert first["seconds_per_1000"] == pytest.approx(seconds)
  assert main([*argv, "--memory=10KiB"]) == 2
  assert "does not fit" in capsys.readouterr().err
  for wrong in ("--memory=much", "--throughput=fast", "--devices=99"):
    assert main([*argv, wrong]) == 2
    assert wrong.split("=")[0] in capsys.readouterr().err
