"""A folder of images, optionally with classes and masks.

    FOLDER/[images/][train|validation/][CLASS/]NAME.png
    FOLDER/index.csv          columns `file` and `label`, `class` or `..._class`
    MASKS/[...]NAME.png       `masks`: any folder, or one inside FOLDER

Subfolders `train` and `validation` side by side (or their other names, see
`folder_names`) are the splits; without them `split_by` applies. If all files
have 16 bits the tiles are uint16, otherwise uint8 (the upper 8 bits). Duplicate
images are dropped.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Literal

from jaxgen.config.data import DataConfig, Split
from jaxgen.config.fields import check_value
from jaxgen.data import photos, resize, tiles
from jaxgen.data.files import checks, folder_labels, listing, masks
from jaxgen.data.findings import Findings
from jaxgen.data.source import Source
from jaxgen.errors import UserError
from jaxgen.formats import image_files
from jaxgen.formats.image_files import ImageInfo


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFiles:
  """A decoder of photograph i and its mask; picklable."""

  paths: tuple[str, ...]
  masks: tuple[str, ...]
  two_kinds: bool  # black and white masks are read as 0 and 1
  bits: int
  channels: int

  def __call__(self, photo: int) -> photos.Photo:
    image = image_files.read_pixels(self.paths[photo], bits=self.bits)
    if self.channels == 1:
      image = resize.to_channels(image, 1)
    if not self.masks:
      return (image,)
    mask = masks.read_labels(self.masks[photo], two_kinds=self.two_kinds)
    return image, mask


def folder(options: DataConfig, split: Split, resolution: int) -> Source:
  """Tiles of the images in `path`.

  New and changed files are decoded at the start, by `threads` threads (about 15
  ms per megapixel of JPEG on one core), so that damaged files are detected
  before training starts; see `checks`.

  Options used: `path, masks, channels, crop, crop_size, upsample, split_by,
  validation_fraction, on_bad, cache_mb, threads`.

  Raises:
    UserError: no images; files that are unreadable, too small or without a mask
      (they are counted); a mask of several images; or a table that cannot be
      understood or matches no image.
  """
  check_value("data.channels", Literal[1, 3], options.channels)
  root = pathlib.Path(options.path)
  if not options.path or not root.is_dir():
    raise UserError(f"data.path={options.path!r}: expected a folder of images")
  mask_folder = masks.find_folder(root, options.masks)
  paths = listing.image_paths(root, mask_folder)
  names = [path.relative_to(root).as_posix() for path in paths]
  checked = checks.check_files(root, paths, threads=options.threads)
  found = None
  if mask_folder is not None:
    found = masks.open_masks(mask_folder, names, options)
    checked = list(map(masks.fit, checked, found.checked))
  labels = folder_labels.read_labels(root, names)
  skipped = listing.passed_over(root, paths, mask_folder)
  good = [i for i, x in enumerate(checked) if isinstance(x, ImageInfo)]
  infos = [x for x in checked if isinstance(x, ImageInfo)]
  load = ImageFiles(
    paths=tuple(str(paths[i]) for i in good),
    masks=tuple(str(found.paths[i]) for i in good) if found else (),
    two_kinds=found is not None and found.two_kinds,
    bits=min((info.bits for info in infos), default=8),
    channels=options.channels,
  )
  described = photos.Photos(
    names=[names[i] for i in good],
    sizes=[(info.height, info.width) for info in infos],
    digests=[info.digest for info in infos],
    load=load,
    labels=labels.indices[good] if labels.names else (),
    label_names=labels.names,
    problems=_problems(names, checked),
    extra=masks.fingerprint(found) if found else "",
    findings=_findings(labels, found, bits=load.bits, skipped=skipped),
  )
  return tiles.cut(described, options, split=split, resolution=resolution)


def _problems(
  names: Sequence[str], checked: Sequence[ImageInfo | str]
) -> list[str]:
  pairs = zip(names, checked, strict=True)
  return [f"{name}: {x}" for name, x in pairs if isinstance(x, str)]


def _findings(
  labels: folder_labels.Labels,
  found: masks.Masks | None,
  *,
  bits: int,
  skipped: Mapping[str, Sequence[str]],
) -> Findings:
  """What the files, the table and the masks say."""
  unused = {"mask without an image": found.others} if found else {}
  unused = {reason: names for reason, names in unused.items() if names}
  return Findings(
    bits=bits,
    skipped={**skipped, **labels.skipped, **unused},
    masks=masks.shares(found) if found else {},
    warnings=(*labels.warnings, *(masks.warnings(found) if found else ())),
  )
