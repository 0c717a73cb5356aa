"""Enlargement of images of any size, by rows of tiles."""

import numpy as np
import pytest
from support.toy_upscaler import toy_run, toy_upscaler

from jaxgen import bicubic
from jaxgen.errors import UserError
from jaxgen.sample import upscaling


@pytest.fixture(scope="module")
def run():
  return toy_run(toy_upscaler())


def noise(*shape, dtype=np.uint8):
  top = np.iinfo(dtype).max
  return np.random.default_rng(0).integers(0, top + 1, shape, dtype)


@pytest.mark.parametrize("length", [1, 16, 23, 24, 25, 41, 97])
def test_spans_take_every_pixel_once_away_from_inner_borders(length):
  found = upscaling.spans(length, tile=16, reach=4)
  taken = [i for x in found for i in range(x.low, x.high)]
  assert taken == list(range(length))
  for x in found:
    assert x.start >= 0 and x.start + x.length <= length
    assert x.start == 0 or x.low - x.start >= 4
    assert x.start + x.length in (length, max(length, x.high + 4)) or (
      x.start + x.length - x.high >= 4
    )


def test_tiles_give_the_result_of_the_whole_image(run):
  image = noise(57, 70, 1)
  whole = run.upscale_float(image, tile=128)
  assert whole.shape == (114, 140, 1)
  tiles = run.upscale_float(image, tile=16)
  np.testing.assert_allclose(tiles, whole, atol=1e-5)
  small = bicubic.resize(whole, 57, 70)
  assert np.std(small - (image / 127.5 - 1)) > 0.01  # it adds something


def test_the_result_moves_with_the_image(run):
  image, f = noise(40, 40, 1), run.factor
  moved = run.upscale_float(np.ascontiguousarray(image[1:, 1:]))
  whole = run.upscale_float(image)
  inner = slice(f * run.reach, -f * run.reach)
  np.testing.assert_allclose(
    moved[inner, inner], whole[f:, f:][inner, inner], atol=1e-5
  )


def test_a_consistent_result_has_the_input_as_its_reduction(run):
  image = noise(20, 30, 1)
  large = run.upscale_float(image, consistent=True)
  found = bicubic.resize(large, 20, 30)
  np.testing.assert_allclose(found, image / np.float32(127.5) - 1, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_images_keep_their_type_and_sizes(run, dtype):
  images = [noise(20, 24, 1, dtype=dtype), noise(17, 5, 1, dtype=dtype)]
  found = run.upscale(images)
  assert [x.shape for x in found] == [(40, 48, 1), (34, 10, 1)]
  assert all(x.dtype == dtype for x in found)
  assert np.ptp(found[0]) > np.iinfo(dtype).max / 2


def test_a_tile_that_does_not_fit_is_halved(run, monkeypatch, capsys):
  image, tried = noise(80, 80, 1), []
  want = run.upscale(image[None])
  real = upscaling._program

  def scarce(run, shape, dtype):
    tried.append(shape[1] - 2 * run.reach)
    if shape[1] > 16 + 2 * run.reach:
      raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
    return real(run, shape, dtype)

  monkeypatch.setattr(upscaling, "_program", scarce)
  np.testing.assert_allclose(
    run.upscale(image[None], tile=64).astype(int), want.astype(int), atol=1
  )
  assert tried == [64, 32, 16] and "tiles of 16" in capsys.readouterr().out

  monkeypatch.setattr(upscaling, "LEAST", 32)
  with pytest.raises(UserError, match="^tile=32: "):
    run.upscale(image[None], tile=64)


def test_other_images_are_refused(run):
  for image in (noise(8, 8, 3), noise(8, 8, 1)[..., 0], np.zeros((8, 8, 1))):
    with pytest.raises(UserError, match="^images: "):
      run.upscale([image])
