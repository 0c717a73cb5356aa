"""PNG files."""

import numpy as np
import pytest
from PIL import Image

from jaxgen.formats.png import write_png


@pytest.mark.parametrize(
  ("channels", "mode"), [(3, "RGB"), (1, "L"), (2, "L"), (5, "RGB")]
)
def test_pixels_are_kept(tmp_path, channels, mode):
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (4, 6, channels), np.uint8)
  write_png(tmp_path / "a/b.png", image)
  with Image.open(tmp_path / "a/b.png") as found:
    assert found.mode == mode and found.format == "PNG"
    want = image[..., :3] if channels > 2 else image[..., 0]
    np.testing.assert_array_equal(np.asarray(found), want)
