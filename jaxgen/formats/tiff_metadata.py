"""What a TIFF says of its images, to be written with other values of them.

Kept are the description (also of ImageJ and OME, whose order of pages, pixel
size, labels and color tables go with it), resolution, date, camera, author,
copyright and color profile. Display ranges are not, since values differ, nor
EXIF, GPS and private tags.
"""

from __future__ import annotations

import json
import re
from typing import Any, BinaryIO, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tifffile

# DocumentName, Make, Model, DateTime, Artist, HostComputer, Copyright
_TEXTS = (269, 271, 272, 306, 315, 316, 33432)
_IMAGEJ = ("Info", "Labels", "LUTs", "ROI", "Overlays")
_ASCII = 2  # type of a tag
_OME_TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}


class TiffMetadata(NamedTuple):
  """Metadata of a TIFF.

  Attributes:
    description: of the first page, or empty.
    pages: whether the description tells size and order of the pages.
    resolution: pixels by unit in x and y, and the unit; None: not said.
    profile: the color profile (ICC); values of 8 bits are read as sRGB.
    tags: short texts, by number.
    imagej: further metadata of ImageJ.
  """

  description: str = ""
  pages: bool = False
  resolution: tuple[tuple[float, float], int] | None = None
  profile: bytes | None = None
  tags: dict[int, str] = {}  # noqa: RUF012 (never changed)
  imagej: dict[str, Any] = {}  # noqa: RUF012

  def of_other_pages(self) -> TiffMetadata:
    """What holds for pages of another number, size or order too."""
    text = "" if self.pages else self.description
    return TiffMetadata(description=text, tags=self.tags)

  def keywords(self, dtype: np.dtype) -> dict[str, Any]:
    """The keywords of `tifffile.imwrite` for values of a type."""
    found: dict[str, Any] = {
      "extratags": [(k, _ASCII, 0, v, True) for k, v in self.tags.items()]
    }
    if self.description:
      found["description"] = _typed(self.description, dtype).encode()
    if self.resolution:
      found["resolution"], found["resolutionunit"] = self.resolution
    if self.profile:
      found["iccprofile"] = self.profile
    if self.imagej:
      found["extratags"] += tifffile.tifffile.imagej_metadata_tag(
        self.imagej, "<"
      )
      found["byteorder"] = "<"
    return found


PLAIN = TiffMetadata()


def read(file: BinaryIO) -> TiffMetadata:
  """The metadata of a file's first page.

  Raises:
    Exception: any of tifffile's: the file is damaged.
  """
  file.seek(0)
  with tifffile.TiffFile(file) as tiff:
    page: Any = tiff.pages.first
    text, imagej = page.description, tiff.imagej_metadata or {}
    known = tiff.is_ome or tiff.is_imagej
    size = page.tags.get("XResolution") and page.resolution
    return TiffMetadata(
      description=_kept(text, imagej=tiff.is_imagej, ome=tiff.is_ome),
      pages=bool(known),
      resolution=(size, int(page.resolutionunit)) if size else None,
      profile=page.iccprofile if np.max(page.bitspersample) > 8 else None,
      tags={k: _ascii(page.tags[k].value) for k in _TEXTS if k in page.tags},
      imagej={k: imagej[k] for k in _IMAGEJ if k in imagej},
    )


def _ascii(value: object) -> str:
  return str(value).encode("ascii", "replace").decode()


def _kept(text: str, *, imagej: bool, ome: bool) -> str:
  """A description without what holds for the old values alone."""
  if imagej:
    lines = text.splitlines(keepends=True)
    return "".join(x for x in lines if not re.match("(min|max)=", x))
  if ome:
    return _own_pages(text)
  return _without_shape(text)


def _without_shape(text: str) -> str:
  """A description without the shape that tifffile adds."""
  try:
    content = json.loads(text)
  except ValueError:
    return text
  if not isinstance(content, dict):
    return text
  rest = {k: v for k, v in content.items() if k not in ("shape", "axes")}
  return json.dumps(rest) if rest else ""


def _own_pages(text: str) -> str:
  """OME-XML whose pages are in the file itself, whatever its name."""
  try:
    root = ElementTree.fromstring(text)
  except ElementTree.ParseError:
    return ""
  space = re.match(r"\{(.*)\}", root.tag)
  ElementTree.register_namespace("", space[1] if space else "")
  root.attrib.pop("UUID", None)
  for parent in root.iter():
    for child in [x for x in parent if x.tag.endswith("}UUID")]:
      parent.remove(child)
  return ElementTree.tostring(root, encoding="unicode")


def _typed(text: str, dtype: np.dtype) -> str:
  """OME-XML for values of a type; other texts as they are."""
  name = _OME_TYPES.get(dtype.name)
  if name is None or not re.search(r"<(\w+:)?OME\b", text[:500]):
    return text
  text = re.sub(r'(<(\w+:)?Pixels\b[^>]*?)\sSignificantBits="\d+"', r"\1", text)
  return re.sub(r'(<(\w+:)?Pixels\b[^>]*?\sType=)"\w+"', rf'\1"{name}"', text)
