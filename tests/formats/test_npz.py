import gc
import warnings

import numpy as np
import pytest

from jaxgen.formats.npz import open_npz, write_npz


def test_what_is_written_is_read(tmp_path):
  write_npz(tmp_path / "a.npz", x=np.arange(3), name="y")
  with open_npz(tmp_path / "a.npz") as arrays:
    assert arrays["x"].tolist() == [0, 1, 2] and str(arrays["name"]) == "y"


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4 but cut"])
def test_a_damaged_file_is_closed(tmp_path, content):
  """`np.load` leaves one that begins like a zip archive open."""
  path = tmp_path / "a.npz"
  path.write_bytes(content)
  with warnings.catch_warnings():
    warnings.simplefilter("error", ResourceWarning)
    with pytest.raises(Exception, match="zip"), open_npz(path):
      pass
    gc.collect()


def test_objects_are_not_unpickled(tmp_path):
  path = tmp_path / "a.npz"
  np.savez(path, x=np.array([print], object))
  with pytest.raises(ValueError, match="pickle"), open_npz(path) as arrays:
    arrays["x"]
