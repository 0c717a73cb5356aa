"""The run that a sweep, one of its phases, or a run's folder stands for."""

import json

import pytest

from jaxgen.errors import UserError
from jaxgen.workdir.sweep_choice import chosen_run


def write(path, value):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(value))


@pytest.fixture
def sweep(tmp_path):
  """A sweep whose first two phases, in the order of the file, are decided."""
  phases = [{"name": name} for name in ("z", "b", "c")]
  write(tmp_path / "sweep.json", {"phases": phases})
  write(tmp_path / "z/choice.json", {"run": "wide"})
  write(tmp_path / "b/choice.json", {"run": "deep"})
  return tmp_path


def test_sweep_phase_and_run_are_the_same_run(sweep):
  run = sweep / "b/deep"
  assert {chosen_run(x) for x in (sweep, sweep / "b", run)} == {run}
  assert chosen_run(sweep / "z") == sweep / "z/wide"


def test_a_run_s_folder_is_returned_as_it_is(sweep, tmp_path):
  for path in (tmp_path / "nowhere", sweep / "b/other", sweep / "archive"):
    assert chosen_run(path) == path


@pytest.mark.parametrize("place", ["c", "."])
def test_without_a_winner_the_sweep_has_to_run_first(sweep, place):
  for phase in ("z", "b"):
    (sweep / phase / "choice.json").unlink()
  with pytest.raises(UserError, match="run the sweep first") as refused:
    chosen_run(sweep / place)
  assert str(refused.value).startswith(str(sweep / place))


@pytest.mark.parametrize(
  ("file", "content"),
  [
    ("b/choice.json", "{}"),
    ("b/choice.json", '{"run": 3}'),
    ("b/choice.json", "[1"),
    ("sweep.json", '{"phases": 3}'),
    ("sweep.json", '{"phases": [{}]}'),
    ("sweep.json", "3"),
  ],
)
def test_a_damaged_file_is_named(sweep, file, content):
  (sweep / file).write_text(content)
  with pytest.raises(UserError) as refused:
    chosen_run(sweep)
  assert str(refused.value).startswith(f"{sweep / file} is damaged")
  assert "\n" not in str(refused.value)
