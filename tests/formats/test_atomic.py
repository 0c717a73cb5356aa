"""Atomic writing of files: completely or not at all."""

import json
import os
import pathlib

import numpy as np
import pytest
from support.faults import full_disk

from jaxgen.errors import RunError
from jaxgen.formats.atomic import remove_parts, replacing, write_json
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


def test_what_is_renamed_into_place_is_on_disk_with_its_folder(
  tmp_path, monkeypatch
):
  """The content before the rename, the folder after it."""
  events = []
  fsync, replace = os.fsync, pathlib.Path.replace

  def synced(file):
    events.append(os.readlink(f"/proc/self/fd/{file}"))
    fsync(file)

  def replaced(self, target):
    events.append("rename")
    return replace(self, target)

  monkeypatch.setattr(os, "fsync", synced)
  monkeypatch.setattr(pathlib.Path, "replace", replaced)
  write_json(tmp_path / "a.json", 1)
  part, renamed, folder = events
  assert part.endswith(".part") and renamed == "rename"
  assert folder == str(tmp_path)


def test_parts_of_the_dead_are_removed_and_of_the_living_kept(tmp_path):
  (tmp_path / ".dead.part").write_text("half")
  (tmp_path / ".folder.part").mkdir()
  (tmp_path / ".folder.part/x").write_text("half")
  (tmp_path / "mine").write_text("mine")
  with replacing(tmp_path / "a") as file:
    file.write(b"a")
    remove_parts(tmp_path)
    assert not (tmp_path / ".folder.part").exists()
  assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "mine"]


def test_two_writers_of_a_file_leave_one_of_both(tmp_path):
  with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as two:
    one.write(b"1")
    two.write(b"2")
  assert (tmp_path / "a").read_bytes() == b"1"
  assert len(list(tmp_path.iterdir())) == 1


def test_names_as_long_as_they_can_be_are_written(tmp_path):
  path = tmp_path / ("x" * 250 + ".json")
  write_json(path, 1)
  assert path.read_text() == "1\n"
