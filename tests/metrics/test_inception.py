"""Inception v3 with random weights instead of the published ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.metrics import inception
from jaxgen.metrics.features import features


def shapes():
  """Names and shapes of all kernels, from the published architecture."""
  found = {
    "Conv2d_1a_3x3": (32, 3, 3, 3),
    "Conv2d_2a_3x3": (32, 32, 3, 3),
    "Conv2d_2b_3x3": (64, 32, 3, 3),
    "Conv2d_3b_1x1": (80, 64, 1, 1),
    "Conv2d_4a_3x3": (192, 80, 3, 3),
  }
  dbl = lambda b, c, x, y: {  # noqa: E731
    f"{b}.branch3x3dbl_1": (x, c, 1, 1),
    f"{b}.branch3x3dbl_2": (y, x, 3, 3),
    f"{b}.branch3x3dbl_3": (y, y, 3, 3),
  }
  for b, c, pool in (
    ("Mixed_5b", 192, 32),
    ("Mixed_5c", 256, 64),
    ("Mixed_5d", 288, 64),
  ):
    found |= dbl(b, c, 64, 96) | {
      f"{b}.branch1x1": (64, c, 1, 1),
      f"{b}.branch5x5_1": (48, c, 1, 1),
      f"{b}.branch5x5_2": (64, 48, 5, 5),
      f"{b}.branch_pool": (pool, c, 1, 1),
    }
  found |= dbl("Mixed_6a", 288, 64, 96)
  found |= {"Mixed_6a.branch3x3": (384, 288, 3, 3)}
  for b, c in zip("bcde", (128, 160, 160, 192), strict=True):
    b = f"Mixed_6{b}"
    wide, high = (1, 7), (7, 1)
    found |= {
      f"{b}.branch1x1": (192, 768, 1, 1),
      f"{b}.branch7x7_1": (c, 768, 1, 1),
      f"{b}.branch7x7_2": (c, c, *wide),
      f"{b}.branch7x7_3": (192, c, *high),
      f"{b}.branch7x7dbl_1": (c, 768, 1, 1),
      f"{b}.branch7x7dbl_2": (c, c, *high),
      f"{b}.branch7x7dbl_3": (c, c, *wide),
      f"{b}.branch7x7dbl_4": (c, c, *high),
      f"{b}.branch7x7dbl_5": (192, c, *wide),
      f"{b}.branch_pool": (192, 768, 1, 1),
    }
  found |= {
    "Mixed_7a.branch3x3_1": (192, 768, 1, 1),
    "Mixed_7a.branch3x3_2": (320, 192, 3, 3),
    "Mixed_7a.branch7x7x3_1": (192, 768, 1, 1),
    "Mixed_7a.branch7x7x3_2": (192, 192, 1, 7),
    "Mixed_7a.branch7x7x3_3": (192, 192, 7, 1),
    "Mixed_7a.branch7x7x3_4": (192, 192, 3, 3),
  }
  for b, c in (("Mixed_7b", 1280), ("Mixed_7c", 2048)):
    found |= {
      f"{b}.branch1x1": (320, c, 1, 1),
      f"{b}.branch3x3_1": (384, c, 1, 1),
      f"{b}.branch3x3_2a": (384, 384, 1, 3),
      f"{b}.branch3x3_2b": (384, 384, 3, 1),
      f"{b}.branch3x3dbl_1": (448, c, 1, 1),
      f"{b}.branch3x3dbl_2": (384, 448, 3, 3),
      f"{b}.branch3x3dbl_3a": (384, 384, 1, 3),
      f"{b}.branch3x3dbl_3b": (384, 384, 3, 1),
      f"{b}.branch_pool": (192, c, 1, 1),
    }
  return found


@pytest.fixture(scope="module")
def weights():
  rng, found = np.random.default_rng(0), {}
  for name, shape in shapes().items():
    fan = np.prod(shape[1:])
    found[f"{name}.conv.weight"] = rng.normal(
      0, (2 / fan) ** 0.5, shape
    ).astype("f4")
    draw = lambda low, high, n=shape[0]: rng.uniform(low, high, n).astype("f4")  # noqa: E731
    found[f"{name}.bn.weight"] = draw(0.9, 1.1)
    found[f"{name}.bn.bias"] = draw(-0.1, 0.1)
    found[f"{name}.bn.running_mean"] = draw(-0.1, 0.1)
    found[f"{name}.bn.running_var"] = draw(0.9, 1.1)
  return found


@pytest.mark.slow
def test_every_weight_is_used_and_gives_2048_features(weights, monkeypatch):
  used = set()

  class Watched(dict):
    def __getitem__(self, name):
      used.add(name)
      return super().__getitem__(name)

  monkeypatch.setattr(inception, "read_torch", lambda path: weights)
  shapes = jax.ShapeDtypeStruct((2, 32, 32, 3), "float32")
  jax.eval_shape(lambda x: inception.features(Watched(weights), x), shapes)
  assert used == set(weights)
  pixels = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
  exact = inception.features(weights, (pixels / 127.5 - 1).astype("f4"))
  assert exact.shape == (2, 2048) and np.isfinite(exact).all()
  assert np.abs(exact[0] - exact[1]).max() > 1e-3
  network = features("inception", "weights.pth")
  assert network.frechet == "FID"
  np.testing.assert_allclose(network.extract(pixels), exact, 1e-3, 1e-5)


def test_the_average_does_not_count_the_border():
  x = jnp.ones((1, 4, 4, 1))
  np.testing.assert_allclose(inception._average(x), 1)


def test_wrong_weights_are_named(monkeypatch, tmp_path, denoiser, capsys):
  monkeypatch.setattr(inception, "read_torch", lambda path: {"a": np.ones(3)})
  with pytest.raises(UserError, match="expected the weights of Inception"):
    inception.inception("w.pth")
  for options in (("inception", None), ("vgg16", "w.pth")):
    with pytest.raises(UserError, match="features=inception"):
      features(*options)
  monkeypatch.undo()
  command = ["evaluate", f"--workdir={denoiser}", f"--out={tmp_path}"]
  flags = ["--features=inception", f"--inception_weights={tmp_path / 'w.pth'}"]
  assert main([*command, *flags]) == 2
  assert "w.pth" in capsys.readouterr().err
