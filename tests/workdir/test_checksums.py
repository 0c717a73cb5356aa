import numpy as np
import pytest

from jaxgen.workdir import checksums
from jaxgen.workdir.checksums import Evidence


@pytest.fixture
def written(tmp_path):
  """A folder of two files, and the file of its checksums."""
  folder, path = tmp_path / "7", tmp_path / "checksums" / "7.json"
  (folder / "d").mkdir(parents=True)
  (folder / "a").write_bytes(b"first")
  (folder / "d" / "b").write_bytes(np.random.default_rng(0).bytes(1000))
  checksums.write(folder, path)
  return folder, path


def assert_damaged(written, name):
  with pytest.raises(ValueError, match=f"^{name} does not match"):
    checksums.verify(*written)


def test_an_untouched_folder_is_as_it_was_written(written):
  assert checksums.verify(*written) is Evidence.VERIFIED


def test_any_flipped_bit_is_found(written):
  path = written[0] / "d" / "b"
  good = path.read_bytes()
  for place in np.random.default_rng(1).integers(0, 8 * len(good), 50):
    bad = bytearray(good)
    bad[place // 8] ^= 1 << (place % 8)
    path.write_bytes(bad)
    assert_damaged(written, "d/b")


@pytest.mark.parametrize("size", [0, 1, 999, 1001])
def test_another_length_is_found(written, size):
  path = written[0] / "d" / "b"
  path.write_bytes((path.read_bytes() + b"x")[:size])
  assert_damaged(written, "d/b")


def test_a_missing_file_is_found(written):
  (written[0] / "a").unlink()
  assert_damaged(written, "a")


def test_without_checksums_nothing_is_verified(written):
  folder, path = written
  (folder / "a").unlink()
  path.unlink()
  assert checksums.verify(*written) is Evidence.MISSING


BAD = ('{"a": ', "", "[]", "{}", "null", "3", '"a"', '{"a": 1}', '{"a": [1]}')


@pytest.mark.parametrize("text", [*BAD, '{"a": [1, "x"]}', "[" * 100_000])
def test_checksums_that_cannot_be_read_are_not_evidence(written, text):
  written[1].write_text(text)
  assert checksums.verify(*written) is Evidence.UNREADABLE
  written[1].write_bytes(b"\xff\xfe" + text.encode())
  assert checksums.verify(*written) is Evidence.UNREADABLE


def test_metrics_known_to_be_damaged_are_damage_without_checksums(written):
  folder, path = written
  path.unlink()
  (folder / "metrics").mkdir()
  (folder / "metrics/damaged").touch()
  with pytest.raises(ValueError, match="metrics"):
    checksums.verify(folder, path)


def test_chunks_do_not_change_the_checksum(written, monkeypatch):
  whole = checksums.compute(written[0])
  monkeypatch.setattr(checksums, "CHUNK", 7)
  assert checksums.compute(written[0]) == whole
