import numpy as np
import pytest

from jaxgen.workdir import checksums


@pytest.fixture
def written(tmp_path):
  """A folder of two files, and the file of its checksums."""
  folder, path = tmp_path / "7", tmp_path / "checksums" / "7.json"
  (folder / "d").mkdir(parents=True)
  (folder / "a").write_bytes(b"first")
  (folder / "d" / "b").write_bytes(np.random.default_rng(0).bytes(1000))
  checksums.write(folder, path)
  return folder, path


def test_an_untouched_folder_is_as_it_was_written(written):
  assert checksums.first_damaged(*written) == ""


def test_any_flipped_bit_is_found(written):
  path = written[0] / "d" / "b"
  good = path.read_bytes()
  for place in np.random.default_rng(1).integers(0, 8 * len(good), 50):
    bad = bytearray(good)
    bad[place // 8] ^= 1 << (place % 8)
    path.write_bytes(bad)
    assert checksums.first_damaged(*written) == "d/b"


@pytest.mark.parametrize("size", [0, 1, 999, 1001])
def test_another_length_is_found(written, size):
  path = written[0] / "d" / "b"
  path.write_bytes((path.read_bytes() + b"x")[:size])
  assert checksums.first_damaged(*written) == "d/b"


def test_a_missing_file_is_found(written):
  (written[0] / "a").unlink()
  assert checksums.first_damaged(*written) == "a"


def test_without_readable_checksums_nothing_is_known(written):
  folder, path = written
  (folder / "a").unlink()
  for text in ('{"a": ', "", "[]", "null", "3", '"a"'):
    path.write_text(text)
    assert checksums.first_damaged(*written) == ""
  path.unlink()
  assert checksums.first_damaged(*written) == ""


def test_chunks_do_not_change_the_checksum(written, monkeypatch):
  whole = checksums.compute(written[0])
  monkeypatch.setattr(checksums, "CHUNK", 7)
  assert checksums.compute(written[0]) == whole
