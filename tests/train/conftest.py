import pathlib
import shutil

import pytest
from faults import command

from jaxgen.cli.main import main


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> pathlib.Path:
  """The workdir of a run that nothing disturbed; only to be read."""
  workdir = tmp_path_factory.mktemp("whole") / "run"
  assert main(command(workdir)) == 0
  return workdir


@pytest.fixture
def copy_of_whole(whole, tmp_path) -> pathlib.Path:
  """The same, to be done harm to."""
  return shutil.copytree(whole, tmp_path / "copy")
