import numpy as np
import pytest

from jaxgen.cli import common
from jaxgen.errors import UserError


def test_images_are_named_after_their_files_and_stay_below_the_folder():
  assert common.file_names(["a/0.jpg", "b"]) == ["a/0.png", "b.png"]
  assert common.file_names(["x.png", "x.jpg"]) == ["x.png.png", "x.jpg.png"]
  assert common.file_names(["../../etc/x.png", "/y.png"]) == [
    "etc/x.png",
    "y.png",
  ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", ["lanczos", "bicubic"])
def test_enlarging_keeps_a_ramp_a_ramp(channels, method):
  ramp = np.linspace(0, 255, 16).round().astype(np.uint8)
  image = np.broadcast_to(ramp[None, None, :, None], (2, 16, 16, channels))
  large = common.upsample(image, 64, method).astype(int)
  assert large.shape == (2, 64, 64, channels)
  steps = np.diff(large[0, :, 8:-8, 0], axis=1)
  assert (abs(steps - 255 / 15 / 4) <= 2).all()
  with pytest.raises(UserError, match="target_size=0"):
    common.upsample(image, 0, method)
