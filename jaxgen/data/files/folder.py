"""A folder of images, optionally with classes, masks, hints and small images.

    FOLDER/[images/][train|validation/][CLASS/]NAME.png
    FOLDER/index.csv          columns `file` and `label`, `class` or `..._class`
    MASKS/[...]NAME.png       `masks`: any folder, or one inside FOLDER
    HINTS/[...]NAME.jpg       `hints`: the same
    LOWS/[...]NAME.jpg        `lows`: the same, smaller by `factor`

Subfolders `train` and `validation` side by side (or their other names, see
`folder_names`) are the splits; without them `split_by` applies. Every page of a
TIFF is an image, or `page` is. The tiles are uint16 if any file has 16 bits
(255 and 65535 are white), otherwise uint8; with a `value_range`, and for types
other than these, they are scaled from it to [-1, 1]. FITS and
the raw files of cameras need extras, see `image_pixels`. Duplicate images are
dropped.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxgen.config.data import DataConfig, Split
from jaxgen.data import photos, resize, tiles
from jaxgen.data.files import (
  beside,
  checks,
  folder_labels,
  hints,
  listing,
  masks,
  pages,
  partners,
  values,
)
from jaxgen.data.files.beside import Beside
from jaxgen.data.findings import Findings
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats import image_files
from jaxgen.formats.image_files import ImageInfo


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFiles:
  """A decoder of photograph i, its mask, its hint and its small image;
  picklable."""

  paths: tuple[str, ...]
  pages: tuple[int, ...]
  masks: tuple[str, ...]
  two_kinds: bool  # black and white masks are read as 0 and 1
  hints: tuple[str, ...]
  hint_channels: int
  hint_bits: int
  lows: tuple[str, ...]
  bits: int  # to which 8 bits are scaled; 0: values are kept
  channels: int

  def __call__(self, photo: int) -> photos.Photo:
    image = image_files.read_pixels(
      self.paths[photo], bits=self.bits, page=self.pages[photo]
    )
    if self.channels == 1:
      image = resize.to_channels(image, 1)
    found = [image]
    if self.masks:
      path, two_kinds = self.masks[photo], self.two_kinds
      found.append(masks.read_labels(path, two_kinds=two_kinds))
    if self.hints:
      path, bits = self.hints[photo], self.hint_bits
      found.append(partners.read(path, self.hint_channels, bits=bits))
    if self.lows:
      path = self.lows[photo]
      found.append(partners.read(path, self.channels, bits=self.bits))
    return tuple(found)


def folder(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of the images in `path`.

  New and changed files are decoded at the start, by `threads` threads (about 15
  ms per megapixel of JPEG on one core), so that damaged files are detected
  before training starts; see `checks`.

  Options used: `path, masks, hints, hint_channels, lows, factor, channels,
  crop, crop_size, upsample, split_by, validation_fraction, on_bad, value_range,
  page, cache_mb, threads`.

  Raises:
    UserError: no images; files that are unreadable, too small or without a
      mask, hint or small image (they are counted); one of these of several
      images; or a table that cannot be understood or matches no image.
  """
  root = pathlib.Path(options.path)
  if not options.path or not root.is_dir():
    raise UserError(f"data.path={options.path!r}: expected a folder of images")
  folders = beside.find_folders(root, options)
  paths = listing.image_paths(root, [*folders.values()])
  names = [path.relative_to(root).as_posix() for path in paths]
  checked = checks.check_files(root, paths, threads=options.threads)
  found = beside.open_beside(folders, names, options)
  checked = found.fit(checked)
  labels = folder_labels.read_labels(root, names)
  pictures = pages.expand(root, paths, checked, options=options)
  used = [x for x in pictures if isinstance(x.found, ImageInfo)]
  infos = [x.found for x in used if isinstance(x.found, ImageInfo)]
  pages.check_types(root, infos, options)
  files = [x.file for x in used]
  described = photos.Photos(
    names=[x.name for x in used],
    sizes=[(info.height, info.width) for info in infos],
    digests=[info.digest for info in infos],
    load=ImageFiles(
      paths=tuple(str(paths[i]) for i in files),
      pages=tuple(x.page for x in used),
      masks=beside.paths_of(found.masks, files),
      two_kinds=found.masks is not None and found.masks.two_kinds,
      hints=beside.paths_of(found.hints, files),
      hint_channels=options.hint_channels,
      hint_bits=hints.most_bits(found.hints),
      lows=beside.paths_of(found.lows, files),
      bits=0
      if options.value_range
      else max((x.bits for x in infos), default=8),
      channels=options.channels,
    ),
    labels=labels.indices[files] if labels.names else (),
    label_names=labels.names,
    finish=_finish(infos, options),
    files=files,
    mask_counts=found.mask_counts(files),
    problems=[
      f"{x.name}: {x.found}" for x in pictures if isinstance(x.found, str)
    ],
    extra=found.fingerprint(),
    findings=_findings(
      pages.findings(root, pictures, options),
      labels,
      found,
      skipped=listing.passed_over(root, paths, [*folders.values()]),
    ),
  )
  return tiles.cut(described, options, split=split, resolution=resolution)


def _finish(
  infos: Sequence[ImageInfo], options: DataConfig
) -> Callable[[np.ndarray], np.ndarray] | None:
  """The scaling of values; None: 8 and 16 bits are not scaled."""
  if not options.value_range and all(x.bits in (8, 16) for x in infos):
    return None
  return functools.partial(
    values.to_model_range, value_range=options.value_range
  )


def _findings(
  known: Findings,
  labels: folder_labels.Labels,
  found: Beside,
  *,
  skipped: Mapping[str, Sequence[str]],
) -> Findings:
  """What is known of the images, with what the table and the images beside them
  say."""
  unused = found.unused()
  return dataclasses.replace(
    known,
    skipped={**skipped, **known.skipped, **labels.skipped, **unused},
    warnings=(*known.warnings, *labels.warnings, *found.warnings()),
  )
