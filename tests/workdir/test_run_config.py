import pytest
from support.faults import AUTOENCODER

from jaxgen.config.files import load_experiment
from jaxgen.errors import UserError
from jaxgen.workdir import run_config

NAMES = {"rock": ("a", "b"), "label": ("0", "1")}


@pytest.fixture
def experiment():
  return load_experiment(AUTOENCODER, [])


def test_what_is_recorded_is_read_again(tmp_path, experiment):
  run_config.save(tmp_path, experiment, NAMES)
  assert run_config.read_experiment(tmp_path) == experiment
  assert run_config.read_condition_names(tmp_path) == NAMES
  assert run_config.differences(tmp_path, experiment) == []
  other = load_experiment(AUTOENCODER, ["--config.seed=3"])
  assert run_config.differences(tmp_path, other) == ["seed: 0 -> 3"]


def test_a_folder_without_a_run_differs_in_nothing(tmp_path, experiment):
  assert run_config.differences(tmp_path, experiment) == []
  assert run_config.read_condition_names(tmp_path) == {}
  with pytest.raises(UserError, match="config.json"):
    run_config.read_experiment(tmp_path)


def test_a_run_without_conditions_records_none(tmp_path, experiment):
  run_config.save(tmp_path, experiment, {})
  assert not (tmp_path / run_config.CONDITIONS).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"rock": 3}'])
def test_damaged_files_are_named(tmp_path, experiment, text):
  for name in (run_config.CONFIG, run_config.CONDITIONS):
    (tmp_path / name).write_text(text)
  with pytest.raises(UserError, match=run_config.CONFIG):
    run_config.differences(tmp_path, experiment)
  with pytest.raises(UserError, match=run_config.CONDITIONS):
    run_config.read_condition_names(tmp_path)
