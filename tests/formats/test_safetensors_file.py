"""Arrays in `.safetensors` files."""

import numpy as np
import pytest

from jaxgen.formats import safetensors_file


@pytest.mark.parametrize(
  "x",
  [np.float32(0.25), np.zeros((0, 3)), np.arange(6.0).reshape(2, 3).T],
  ids=["scalar", "empty", "transposed"],
)
def test_arrays_keep_their_shape_type_and_order(x, tmp_path):
  path = tmp_path / "a.safetensors"
  safetensors_file.write(path, {"a": np.asarray(x)}, {"step": "3"})
  arrays, about = safetensors_file.read(path)
  np.testing.assert_array_equal(arrays["a"], x, strict=True)
  assert about["step"] == "3"
