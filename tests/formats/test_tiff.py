"""TIFF files of every type, made here tag by tag."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from jaxgen.formats import image_files, image_pixels

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 65536, (8, 12)).astype(np.uint16)


def pack(values, bits):
  """Values with the highest bit first, each row from a new byte."""
  flags = values[..., None] >> np.arange(bits)[::-1] & 1
  return np.packbits(flags.reshape(len(values), -1).astype(np.uint8), axis=1)


def gray_tiff(values, *, bits, order="<", photometric=1, form=1):
  """An uncompressed gray TIFF in one strip."""
  height, width = values.shape
  if 8 < bits < 16:
    data = pack(values, bits).tobytes()
  else:
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
  start = 8 + 2 + 12 * 10 + 4
  tags = {
    **{256: (4, width), 257: (4, height), 258: (3, bits), 259: (3, 1)},
    **{262: (3, photometric), 273: (4, start), 277: (3, 1)},
    **{278: (4, height), 279: (4, len(data)), 339: (3, form)},
  }
  out = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
  out += struct.pack(order + "H", len(tags))
  for tag, (kind, value) in tags.items():
    value = (value, 0) if kind == 3 else (value,)
    form = "HHIHH" if kind == 3 else "HHII"
    out += struct.pack(order + form, tag, kind, 1, *value)
  return out + bytes(4) + data


def written(values, **options):
  file = io.BytesIO()
  tifffile.imwrite(file, values, **options)
  return file.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_white_is_65535_at_every_depth(order, bits, photometric):
  values = GRAY >> (16 - bits)
  values[0, :2] = 0, 2**bits - 1
  data = gray_tiff(values, bits=bits, order=order, photometric=photometric)
  found = image_files.decode(data, bits=16)[..., 0]
  exact = values * (65535 / (2**bits - 1))
  exact = exact if photometric else 65535 - exact
  assert found.dtype == np.uint16 and np.abs(found - exact).max() <= 0.5
  assert image_files.check(data).bits == 16


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
  ("dtype", "form"),
  [("i1", 2), ("i2", 2), ("u4", 1), ("i4", 2), ("f4", 3), ("f8", 3)],
)
def test_other_types_keep_their_values(order, dtype, form):
  values = (GRAY.astype(np.int64) - 20000).astype(dtype)
  bits = 8 * values.itemsize
  data = gray_tiff(values, bits=bits, order=order, form=form)
  found = image_pixels.read(data).values
  assert found.dtype == np.dtype(dtype)
  np.testing.assert_array_equal(found[..., 0], values)
  info = image_files.check(data)
  assert (info.low, info.high) == (values.min(), values.max())
  assert info.bits == (0 if form == 3 else bits)


def test_values_that_are_not_finite_are_found():
  values = np.full((8, 8), np.nan, np.float32)
  with pytest.raises(ValueError, match="finite"):
    image_files.check(gray_tiff(values, bits=32, form=3))


@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_and_alpha_of_16_bits(order):
  color = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]])
  data = written(
    color, photometric="rgb", planarconfig="separate", byteorder=order
  )
  np.testing.assert_array_equal(
    image_files.decode(data, bits=16), np.moveaxis(color, 0, 2)
  )
  data = written(
    np.stack([GRAY, GRAY[::-1]], 2),
    photometric="minisblack",
    extrasamples=["unassalpha"],
    planarconfig="contig",
    byteorder=order,
  )
  np.testing.assert_array_equal(
    image_files.decode(data, bits=16), GRAY[..., None]
  )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_readers_agree_on_the_orientation(orientation):
  extra = [(274, "H", 1, orientation, True)]
  by_pillow = written(GRAY, photometric="minisblack", extratags=extra)
  inverted = written(
    65535 - GRAY, photometric="miniswhite", byteorder=">", extratags=extra
  )
  np.testing.assert_array_equal(
    image_files.decode(by_pillow, bits=16),
    image_files.decode(inverted, bits=16),
  )


def stack(count=4, thumbnail=False):
  file = io.BytesIO()
  with tifffile.TiffWriter(file) as writer:
    for i in range(count):
      writer.write(np.full((8, 8), 40 * i, np.uint8), photometric="minisblack")
      if thumbnail:
        small = np.full((4, 4), 40 * i, np.uint8)
        writer.write(small, photometric="minisblack", subfiletype=1)
  return file.getvalue()


@pytest.mark.parametrize("thumbnail", [False, True])
def test_every_page_is_an_image_but_thumbnails(thumbnail):
  data = stack(thumbnail=thumbnail)
  pages = image_files.check(data).pages
  assert pages == tuple(range(0, 8, 2) if thumbnail else range(4))
  for i, page in enumerate(pages):
    assert (image_pixels.read(data, page=page).values == 40 * i).all()
  with pytest.raises(ValueError, match="no page 9"):
    image_files.check(data, page=9)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("photometric", [0, 1])
def test_truncated_pages_are_found(part, photometric):
  data = gray_tiff(GRAY >> 4, bits=12, order=">", photometric=photometric)
  with pytest.raises(Exception) as caught:
    image_files.check(data[: int(part * len(data))])
  assert image_files.reason(caught.value)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate"])
def test_compressed_16_bits_with_white_as_zero(compression):
  file = io.BytesIO()
  image = Image.fromarray(GRAY)
  image.save(file, "TIFF", compression=compression, tiffinfo={262: 0})
  found = image_files.decode(file.getvalue(), bits=16)[..., 0]
  np.testing.assert_array_equal(found, 65535 - GRAY)


def test_pages_beyond_the_limit_are_refused(monkeypatch):
  data = gray_tiff(GRAY, bits=16, order=">", photometric=0)
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 90)
  with pytest.raises(ValueError, match="at most 90 pixels"):
    image_files.check(data)
