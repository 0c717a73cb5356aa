import pytest
from support.faults import AUTOENCODER

from jaxgen.config.files import load_experiment
from jaxgen.errors import UserError
from jaxgen.workdir import run_config
from jaxgen.workdir.claim import claim, record


def experiment(*flags):
  return load_experiment(AUTOENCODER, [f"--config.{flag}" for flag in flags])


def take(workdir, *flags, allow=False):
  """Begin a run and end it."""
  with claim(workdir, experiment(*flags), allow_change=allow):
    record(experiment(*flags), {}, workdir)


def test_two_trainings_cannot_have_one_workdir(tmp_path):
  with claim(tmp_path, experiment(), allow_change=False):
    with pytest.raises(UserError, match=f"--workdir={tmp_path} "):
      take(tmp_path, allow=True)
  take(tmp_path)


def test_another_config_is_refused_with_the_keys_that_differ(tmp_path):
  take(tmp_path)
  with pytest.raises(UserError) as refused:
    take(tmp_path, "seed=3", "optimizer.learning_rate=0.5")
  found = str(refused.value)
  assert "seed: 0 -> 3" in found
  assert "optimizer.learning_rate: 0.002 -> 0.5" in found
  assert found.count("->") == 2
  take(tmp_path)  # and nothing has changed


def test_another_config_is_taken_where_that_is_allowed(tmp_path):
  take(tmp_path)
  take(tmp_path, "seed=3", allow=True)
  assert run_config.read_experiment(tmp_path).seed == 3
  with pytest.raises(UserError, match="seed: 3 -> 0"):
    take(tmp_path)


def test_a_config_that_never_ran_binds_nobody(tmp_path):
  """A first attempt with, say, a wrong path ends before `record`."""
  with pytest.raises(UserError, match="no such data"):
    with claim(tmp_path, experiment("seed=3"), allow_change=False):
      raise UserError("no such data")
  take(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"train": 3}', "\0"])
def test_a_damaged_config_is_named_on_one_line(tmp_path, text):
  take(tmp_path)
  (tmp_path / "config.json").write_text(text)
  with pytest.raises(UserError, match="config.json") as refused:
    take(tmp_path)
  assert "\n" not in str(refused.value)


def test_a_file_is_no_workdir(tmp_path):
  (tmp_path / "file").write_text("")
  for path in (tmp_path / "file", tmp_path / "file" / "below"):
    with pytest.raises(UserError, match=f"--workdir={path} "):
      take(path)


def test_checkpoints_without_a_config_are_not_trained_on_unawares(tmp_path):
  (tmp_path / "checkpoints" / "7").mkdir(parents=True)
  with pytest.raises(UserError, match="config.json"):
    take(tmp_path)
  take(tmp_path, allow=True)
