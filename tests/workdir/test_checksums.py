import numpy as np
import pytest

from jaxgen.workdir import checksums


@pytest.fixture
def written(tmp_path):
  """A folder of two files, and its manifest."""
  folder, path = tmp_path / "7", tmp_path / "manifests" / "7.json"
  (folder / "d").mkdir(parents=True)
  (folder / "a").write_bytes(b"first")
  (folder / "d" / "b").write_bytes(np.random.default_rng(0).bytes(1000))
  checksums.write(folder, path)
  return folder, path


def test_an_untouched_folder_is_as_it_was_written(written):
  assert checksums.damage(*written) == ""


def test_any_flipped_bit_is_found(written):
  path = written[0] / "d" / "b"
  good = path.read_bytes()
  for place in np.random.default_rng(1).integers(0, 8 * len(good), 50):
    bad = bytearray(good)
    bad[place // 8] ^= 1 << (place % 8)
    path.write_bytes(bad)
    assert checksums.damage(*written) == "d/b"


@pytest.mark.parametrize("size", [0, 1, 999, 1001])
def test_another_length_is_found(written, size):
  path = written[0] / "d" / "b"
  path.write_bytes((path.read_bytes() + b"x")[:size])
  assert checksums.damage(*written) == "d/b"


def test_a_missing_file_is_found(written):
  (written[0] / "a").unlink()
  assert checksums.damage(*written) == "a"


def test_without_a_readable_manifest_nothing_is_known(written):
  folder, path = written
  (folder / "a").unlink()
  for text in ('{"a": ', "", "[]", "null", "3", '"a"'):
    path.write_text(text)
    assert checksums.damage(*written) == ""
  path.unlink()
  assert checksums.damage(*written) == ""


def test_chunks_do_not_change_the_checksum(written, monkeypatch):
  whole = checksums.checksums(written[0])
  monkeypatch.setattr(checksums, "CHUNK", 7)
  assert checksums.checksums(written[0]) == whole
