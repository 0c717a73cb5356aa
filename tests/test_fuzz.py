"""A small fixed part of `make fuzz`."""

import random

import pytest
from fuzzing import kills, malformed

from jaxgen.cli.main import VERBS


def test_malformed_input_is_refused_on_a_line(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  cases = malformed.cases(tmp_path / "files", seed=0)
  assert len(cases) >= 150 and {x.argv[0] for x in cases} == set(VERBS)
  faults = {str(x): malformed.fault(x) for x in cases[::4]}
  assert {k: v for k, v in faults.items() if v} == {}


def test_malformed_images_and_latents_are_refused_on_a_line(trained, tmp_path):
  cases = malformed.with_input(trained, tmp_path / "files", seed=0)
  faults = {str(x): malformed.fault(x) for x in cases[::3]}
  assert {k: v for k, v in faults.items() if v} == {}


@pytest.mark.slow
def test_a_run_killed_at_random_is_resumed_to_the_same_bits(tmp_path):
  argv = kills.families(tmp_path)["patch autoencoder"]
  problems = kills.kill_and_resume(
    argv, tmp_path, kills=1, rng=random.Random(0)
  )
  assert [*problems] == [""]
