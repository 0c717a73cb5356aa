"""ICC profiles, written here byte by byte."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from jaxgen.formats import image_files

# Columns: red, green and blue, adapted to D50.
ADOBE = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322),
         (0.01947, 0.06087, 0.74457))  # fmt: skip
D50 = 0.9642, 1.0, 0.8249


def fixed(*values):
  return b"".join(struct.pack(">i", round(x * 65536)) for x in values)


def profile(space=b"RGB ", gamma=2.2):
  curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
  name = b"test\0"
  tags = {
    b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + name + bytes(79),
    b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50),
  }
  if space == b"GRAY":
    tags[b"kTRC"] = curve
  else:
    for i, key in enumerate("rgb"):
      column = fixed(*(row[i] for row in ADOBE))
      tags[f"{key}XYZ".encode()] = b"XYZ \0\0\0\0" + column
      tags[f"{key}TRC".encode()] = curve
  start, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
  for key, data in tags.items():
    data += bytes(-len(data) % 4)
    table += key + struct.pack(">II", start + len(body), len(data))
    body += data
  head = struct.pack(">I4sI", 128 + len(table) + len(body), b"", 0x02100000)
  head += b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
  return head + fixed(*D50) + bytes(48) + table + body


def png(color, icc, mode="RGB"):
  file = io.BytesIO()
  Image.new(mode, (4, 4), color).save(file, "PNG", icc_profile=icc)
  return file.getvalue()


def srgb(color):
  """A color of Adobe RGB (gamma 2.2) in sRGB, by IEC 61966-2-1."""
  to_xyz = np.array(ADOBE)
  # the primaries of sRGB adapted to D50
  from_xyz = np.linalg.inv(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061],
     [0.01392, 0.09708, 0.71410]]
  )  # fmt: skip
  linear = from_xyz @ to_xyz @ (np.array(color) / 255) ** 2.2
  linear = np.clip(linear, 0, 1)
  low = 12.92 * linear
  high = 1.055 * linear ** (1 / 2.4) - 0.055
  return 255 * np.where(linear <= 0.0031308, low, high)


@pytest.mark.parametrize("color", [(120, 200, 60), (90, 90, 90), (200, 80, 90)])
def test_profiles_are_applied(color):
  found = image_files.decode(png(color, profile()), bits=8)[0, 0]
  assert np.abs(found - srgb(color)).max() <= 2
  assert image_files.check(png(color, profile())).note == ""


def test_gray_profiles_are_applied():
  icc = profile(b"GRAY", gamma=1.0)
  (found,) = image_files.decode(png(55, icc, mode="L"), bits=8)[0, 0]
  linear = 55 / 255
  assert abs(found - 255 * (1.055 * linear ** (1 / 2.4) - 0.055)) <= 2


def test_srgb_changes_nothing():
  icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
  found = image_files.decode(png((120, 200, 61), icc), bits=8)[0, 0]
  assert found.tolist() == [120, 200, 61]


@pytest.mark.parametrize("icc", [b"damaged", profile(b"GRAY")])
def test_what_is_not_applied_is_said(icc):
  data = png((120, 200, 60), icc)
  assert image_files.decode(data, bits=8)[0, 0].tolist() == [120, 200, 60]
  assert "ICC" in image_files.check(data).note


def test_it_is_said_that_16_bits_are_not_converted():
  file = io.BytesIO()
  Image.fromarray(np.full((4, 4), 9999, np.uint16)).save(
    file, "PNG", icc_profile=profile(b"GRAY", gamma=1.0)
  )
  assert "ICC" in image_files.check(file.getvalue()).note
