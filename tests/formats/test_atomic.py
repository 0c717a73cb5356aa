"""Atomic writing of files: completely or not at all."""

import json

import numpy as np
import pytest
from support.faults import full_disk

from jaxgen.errors import RunError
from jaxgen.formats.atomic import replacing, write_json
from jaxgen.formats.npz import write_npz


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
  path = tmp_path / "folder/a.bin"
  with replacing(path) as file:
    file.write(b"old")
  with pytest.raises(ZeroDivisionError):
    with replacing(path) as file:
      file.write(b"new")
      _ = 1 / 0
  assert path.read_bytes() == b"old"


@pytest.mark.parametrize("write", ["json", "npz"])
def test_on_a_full_disk_the_old_file_stays_and_the_error_names_it(
  tmp_path, write
):
  path = tmp_path / "file"
  path.write_bytes(b"old")
  with full_disk(1000), pytest.raises(RunError, match=str(path)):
    if write == "json":
      write_json(path, "x" * 10_000)
    else:
      write_npz(path, x=np.zeros(10_000))
  assert path.read_bytes() == b"old"


def test_what_is_written_is_read_back(tmp_path):
  write_json(tmp_path / "a.json", {"x": [1, None]})
  assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, None]}
  assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_in_the_way_is_named(tmp_path):
  (tmp_path / "file").mkdir()
  with pytest.raises(RunError, match="file could not be written"):
    write_json(tmp_path / "file", 1)
