"""Training with batches split to fit into memory."""

import json

import jax
import pytest
from support.faults import AUTOENCODER, command, steps
from support.programs import denoiser, program
from support.staged import TWO

from jaxgen.cli.main import main
from jaxgen.config.files import load_experiment
from jaxgen.errors import RunError, UserError
from jaxgen.planning import autobatch, cost
from jaxgen.train import stage

ONE = jax.devices()[:1]


def experiment_of(argv):
  """The experiment that a command line trains."""
  flags = [x for x in argv if x.startswith("--config.")]
  return load_experiment(AUTOENCODER, flags)


@pytest.mark.slow
def test_a_stage_out_of_memory_starts_again_in_smaller_parts(
  tmp_path, monkeypatch, capsys
):
  """The second stage, with the error that XLA raises."""
  make, failed = stage.make_update, []

  def scarce(*args, stage, **options):
    update = make(*args, stage=stage, **options)

    def step(state, batch, schedule):
      if stage.resolution == 24 and stage.accumulate < 4:
        failed.append(stage.accumulate)
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")
      return update(state, batch, schedule)

    return step

  monkeypatch.setattr(stage, "make_update", scarce)
  experiment = experiment_of(command(tmp_path, **TWO))
  assert autobatch.train_in_memory(experiment, tmp_path, devices=ONE)
  said = capsys.readouterr().out
  assert failed == [1, 2] and said.count("out of memory") == 2
  kept = json.loads((tmp_path / "fit.json").read_text())
  assert [row["accumulate"] for row in kept.values()] == [4]
  assert steps(tmp_path)[-1] == 8


def test_a_decision_does_not_depend_on_what_needs_no_memory(tmp_path):
  """So that runs keep decisions that are older than the field."""
  for frequency in (1000.0, 16.0):
    p = denoiser(1, **{"model.time_frequency": frequency})
    autobatch.shrink_microbatches(p, tmp_path)
  assert len(json.loads((tmp_path / "fit.json").read_text())) == 1


def test_microbatches_of_one_image_cannot_be_smaller(tmp_path):
  p = program(8, **{"stages.batch_size": (8,)})
  with pytest.raises(RunError, match="stage 1: out of memory"):
    autobatch.shrink_microbatches(p, tmp_path)
  assert not (tmp_path / "fit.json").exists()


@pytest.mark.slow
def test_a_run_fits_itself_and_keeps_to_it(tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(cost, "CODE", 0)
  p = program(1, **{"stages.batch_size": (32,)})
  gib = (cost.need(p).total - 1 + cost.OVERHEAD // 8) / 2**30
  flags = {"batch.fit": "auto", "batch.memory_gib": gib}
  argv = command(tmp_path, **flags, **{"stages.images": "(64,)"})
  assert autobatch.train_in_memory(experiment_of(argv), tmp_path, devices=ONE)
  assert "microbatches of 16" in capsys.readouterr().out
  kept = json.loads((tmp_path / "fit.json").read_text())
  assert [*kept.values()] == [{"accumulate": 2, "remat": "none"}]
  recorded = json.loads((tmp_path / "config.json").read_text())
  assert recorded["stages"]["accumulate"] == [1]  # as in the config
  (tmp_path / "fit.json").write_text("[{]")
  with pytest.raises(UserError, match="fit.json is damaged"):
    autobatch.train_in_memory(experiment_of(argv), tmp_path, devices=ONE)


@pytest.mark.parametrize(
  "decision", [{"accumulate": 0}, {"remat": "some"}, {"more": 1}, None, 3]
)
def test_a_decision_that_is_none_is_refused(tmp_path, decision):
  good = {"accumulate": 2, "remat": "none"}
  known = good | decision if isinstance(decision, dict) else decision
  (tmp_path / "fit.json").write_text(json.dumps({"a stage": known}))
  with pytest.raises(UserError, match="fit.json is damaged"):
    autobatch.fitted([program(1)], tmp_path)


def test_a_decision_is_for_the_stage_that_it_was_made_for(tmp_path):
  """Of another model, memory or batch it is not taken."""
  flags = {"stages.batch_size": (32,)}
  p = program(8, **flags)
  autobatch.shrink_microbatches(p, tmp_path)
  assert autobatch.fitted([p], tmp_path)[0].stage.accumulate == 2
  others = ({"model.width": 64}, {"batch.memory_gib": 3.0})
  others += ({"stages.batch_size": (64,)}, {"stages.resolution": (64,)})
  for change in others:
    other = program(8, **flags | change)
    assert autobatch.fitted([other], tmp_path)[0].stage == other.stage


@pytest.mark.slow
def test_the_memory_of_a_training_run_is_a_flag(tmp_path, capsys):
  """As a flag, which `jaxgen plan` has too; refused before anything runs."""
  argv = command(tmp_path, **{"stages.images": "(64,)"})
  assert main([*argv, "--memory=1KiB"]) == 2
  assert "the process alone takes" in capsys.readouterr().err
  assert main([*argv, "--memory=much"]) == 2
  assert "--memory" in capsys.readouterr().err
  assert main([*argv, "--memory=64GiB"]) == 0
  assert [*json.loads((tmp_path / "fit.json").read_text()).values()]
  config = json.loads((tmp_path / "config.json").read_text())
  assert config["batch"] == {"fit": "auto", "memory_gib": 64.0}
