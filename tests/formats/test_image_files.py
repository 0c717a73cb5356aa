import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxgen.formats import image_files

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
DEEP = RNG.integers(0, 65536, (20, 30, 3)).astype(np.uint16)


def encode(pixels, kind="PNG", **options):
  file = io.BytesIO()
  image = pixels if isinstance(pixels, Image.Image) else None
  (image or Image.fromarray(pixels)).save(file, kind, **options)
  return file.getvalue()


def deep_png(pixels):
  """A 16 bit color PNG, which PIL does not write; filter Sub in each row."""
  height, width, channels = pixels.shape
  rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
  rows = rows.copy()
  rows[:, 2 * channels :] -= rows[:, : -2 * channels].copy()
  data = b"".join(b"\x01" + row.tobytes() for row in rows)
  kind = {2: 4, 3: 2, 4: 6}[channels]
  header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
  chunks = (b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")
  return b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(body))
    + name
    + body
    + struct.pack(">I", zlib.crc32(name + body))
    for name, body in chunks
  )


def deep_tiff(pixels, order, planar=1):
  """An uncompressed 16 bit color TIFF in either byte order."""
  height, width, _ = pixels.shape
  data = pixels.astype(order + "u2").tobytes()
  bits_at, data_at = 8 + 2 + 12 * 9 + 4, 8 + 2 + 12 * 9 + 4 + 6
  tags = [
    (256, 4, 1, width),
    (257, 4, 1, height),
    (258, 3, 3, bits_at),
    (259, 3, 1, 1),
    (262, 3, 1, 2),
    (273, 4, 1, data_at),
    (277, 3, 1, 3),
    (279, 4, 1, len(data)),
    (284, 3, 1, planar),
  ]
  body = struct.pack(order + "H", len(tags))
  for tag, kind, count, value in tags:
    short = kind == 3 and count == 1
    form = "HHIHH" if short else "HHII"
    body += struct.pack(order + form, tag, kind, count, value, *[0] * short)
  body += struct.pack(order + "IHHH", 0, 16, 16, 16)
  magic = b"II*\0" if order == "<" else b"MM\0*"
  return magic + struct.pack(order + "I", 8) + body + data


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_keep_every_pixel(kind):
  data = encode(COLOR, kind)
  np.testing.assert_array_equal(image_files.decode(data, bits=8), COLOR)
  deep = image_files.decode(data, bits=16)
  assert deep.dtype == np.uint16 and (deep == COLOR * np.uint16(257)).all()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_are_close(kind):
  flat = np.full((32, 32, 3), (200, 100, 50), np.uint8)
  pixels = image_files.decode(encode(flat, kind), bits=8)
  assert np.abs(pixels.astype(int) - flat).max() <= 4


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_becomes_gray_or_color(mode):
  image = Image.fromarray(COLOR).convert(mode)
  kind = "TIFF" if mode == "CMYK" else "PNG"
  pixels = image_files.decode(encode(image, kind), bits=8)
  gray = mode in ("1", "L", "LA")
  assert pixels.shape == (20, 30, 1 if gray else 3)
  assert pixels.dtype == np.uint8


def test_alpha_is_dropped_not_blended():
  alpha = np.concatenate([COLOR, np.zeros_like(COLOR[..., :1])], axis=2)
  np.testing.assert_array_equal(
    image_files.decode(encode(alpha), bits=8), COLOR
  )


@pytest.mark.parametrize(
  "data",
  [
    deep_png(DEEP),
    deep_png(np.concatenate([DEEP, DEEP[..., :1]], 2)),
    deep_tiff(DEEP, "<"),
    deep_tiff(DEEP, ">"),
  ],
)
def test_16_bit_color_keeps_all_bits(data):
  np.testing.assert_array_equal(image_files.decode(data, bits=16), DEEP)
  np.testing.assert_array_equal(image_files.decode(data, bits=8), DEEP >> 8)
  assert image_files.check(data).bits == 16


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_keeps_all_bits(kind):
  data = encode(DEEP[..., 0], kind)
  np.testing.assert_array_equal(
    image_files.decode(data, bits=16), DEEP[..., :1]
  )
  np.testing.assert_array_equal(
    image_files.decode(data, bits=8), DEEP[..., :1] >> 8
  )


def test_16_bit_gray_with_alpha_keeps_all_bits():
  data = deep_png(DEEP[..., :2])
  np.testing.assert_array_equal(
    image_files.decode(data, bits=16), DEEP[..., :1]
  )
  assert image_files.check(data).bits == 16


@pytest.mark.parametrize("kind", ["GIF", "PPM", "JPEG2000"])
def test_more_formats(kind):
  flat = np.full((32, 32), 77, np.uint8)
  data = encode(flat, kind)
  assert (image_files.decode(data, bits=8)[..., 0] == 77).all()
  data = encode(DEEP[..., 0], "PPM")
  np.testing.assert_array_equal(
    image_files.decode(data, bits=16), DEEP[..., :1]
  )


def test_the_frames_of_an_animation_are_counted():
  first, *others = (Image.new("L", (8, 8), 60 * i) for i in range(3))
  data = encode(first, "GIF", save_all=True, append_images=others)
  assert "3 frames" in image_files.check(data).note
  assert image_files.check(data).pages == (0,)


def test_other_types_of_values_are_no_images_of_8_or_16_bits():
  with pytest.raises(ValueError, match="separate|strips"):
    image_files.decode(deep_tiff(DEEP, "<", planar=2), bits=8)
  with pytest.raises(ValueError, match="float32"):
    image_files.decode(encode(DEEP[..., 0].astype(np.float32), "TIFF"), bits=8)


def test_the_orientation_is_applied():
  exif = Image.Exif()
  exif[0x0112] = 6  # rotate by 90 degrees, clockwise
  data = encode(COLOR, "PNG", exif=exif)
  expected = np.rot90(COLOR, -1)
  np.testing.assert_array_equal(image_files.decode(data, bits=8), expected)
  info = image_files.check(data)
  assert (info.height, info.width) == (30, 20)


def test_the_digest_is_of_the_pixels():
  png, bmp = encode(COLOR), encode(COLOR, "BMP")
  assert image_files.check(png).digest == image_files.check(bmp).digest
  assert (
    image_files.check(encode(COLOR[::-1])).digest
    != image_files.check(png).digest
  )
  flat = np.zeros((10, 20), np.uint8)
  turned = image_files.check(encode(flat.T.copy()))
  assert image_files.check(encode(flat)).digest != turned.digest


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9])
def test_truncated_files_are_found(kind, part):
  data = encode(COLOR, kind)
  with pytest.raises(Exception) as caught:
    image_files.check(data[: int(part * len(data))])
  assert image_files.reason(caught.value)


def test_a_flipped_byte_in_a_png_is_found():
  data = bytearray(encode(COLOR, compress_level=0))
  data[len(data) // 2] ^= 1  # a pixel, which only the checksum covers
  with pytest.raises(Exception, match="checksum"):
    image_files.check(bytes(data))


def test_decompression_bombs_are_refused(tmp_path):
  path = tmp_path / "bomb.png"
  Image.new("1", (10000, 9000)).save(path)  # 11 kB, 90 million pixels
  with pytest.warns(Image.DecompressionBombWarning):
    (found,) = image_files.check_files([path], threads=1)
  assert isinstance(found, str) and "decompression bomb" in found


def test_other_formats_are_refused_by_content(tmp_path):
  path = tmp_path / "a.png"
  Image.fromarray(COLOR).save(path, "PCX")
  (found,) = image_files.check_files([path], threads=1)
  assert isinstance(found, str) and "formats" in found


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_keep_their_values(dtype):
  labels = RNG.integers(0, np.iinfo(dtype).max, (9, 7)).astype(dtype)
  np.testing.assert_array_equal(
    image_files.decode_labels(encode(labels)), labels
  )
  with pytest.raises(ValueError, match="one channel"):
    image_files.decode_labels(encode(COLOR))


def test_a_palette_of_labels_gives_its_indices():
  image = Image.fromarray(np.array([[0, 5], [2, 1]], np.uint8)).convert("P")
  image.putpalette(RNG.integers(0, 256, 768).astype(np.uint8).tobytes())
  assert image_files.decode_labels(encode(image)).tolist() == [[0, 5], [2, 1]]
