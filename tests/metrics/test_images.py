import numpy as np
import pytest
from skimage import data, metrics

from jaxgen.metrics.images import similarity


def to_float(images):
  return np.asarray(images, np.float32)[None] / 127.5 - 1


@pytest.mark.parametrize("name", ["astronaut", "grass"])
def test_psnr_and_ssim_are_those_of_scikit_image(name):
  """dm-pix windows every channel; scikit-image does so with these options."""
  image = getattr(data, name)()[:96, :96]
  image = image if image.ndim == 3 else image[..., None]
  noise = np.random.default_rng(0).normal(0, 12, image.shape)
  other = np.clip(image + noise, 0, 255).astype(np.uint8)
  scores = similarity(to_float(other), to_float(image))
  assert np.ravel(scores["psnr"])[0] == pytest.approx(
    metrics.peak_signal_noise_ratio(image, other), abs=1e-3
  )
  ssim = metrics.structural_similarity(
    image,
    other,
    gaussian_weights=True,
    sigma=1.5,
    use_sample_covariance=False,
    data_range=255,
    channel_axis=-1,
  )
  assert scores["ssim"][0] == pytest.approx(ssim, abs=1e-4)


def test_known_differences_have_known_scores():
  zeros = np.zeros((1, 16, 16, 1), np.float32)
  scores = similarity(zeros + 0.2, zeros)
  assert scores["psnr"][0] == pytest.approx(20.0, abs=1e-4)  # 0.1 on [0, 1]
  assert scores["mse"][0] == pytest.approx(0.01)
  assert scores["l1"][0] == pytest.approx(0.1, abs=1e-6)
  perfect = similarity(zeros, zeros)
  assert perfect["psnr"][0] == pytest.approx(100.0)
  assert perfect["ssim"][0] == pytest.approx(1.0)


def test_values_out_of_range_are_clipped_before_they_count():
  white = np.ones((1, 16, 16, 1), np.float32)
  assert similarity(white * 3, white)["mse"][0] == 0.0


def test_every_image_has_its_own_score():
  rng = np.random.default_rng(0)
  x = rng.uniform(-1, 1, (5, 16, 16, 3)).astype(np.float32)
  y = rng.uniform(-1, 1, (5, 16, 16, 3)).astype(np.float32)
  together = similarity(x, y)
  for name, values in together.items():
    alone = [similarity(x[i : i + 1], y[i : i + 1])[name][0] for i in range(5)]
    np.testing.assert_allclose(values, alone, rtol=1e-5)
  assert len(np.unique(together["psnr"])) == 5


def test_tiny_images_have_no_ssim():
  x = np.zeros((1, 8, 8, 1), np.float32)
  assert set(similarity(x, x)) == {"psnr", "mse", "l1"}
