"""The images in files that have several pages, and what is known of them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from jaxgen.config.data import DataConfig
from jaxgen.data import resize
from jaxgen.data.files import checks, values
from jaxgen.data.findings import Findings
from jaxgen.errors import UserError
from jaxgen.formats import problems
from jaxgen.formats.image_files import ImageInfo

_UNCHECKED = "not checked"
_TYPES = ("uint8", "uint16")  # may be mixed without a value range


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
  """An image of a file.

  Attributes:
    name: of the file and, if it has several, the page.
    file: index of the file.
    page: the page.
    found: its `ImageInfo`, or why it cannot be used.
  """

  name: str
  file: int
  page: int
  found: ImageInfo | str


def expand(
  root: pathlib.Path,
  paths: Sequence[pathlib.Path],
  checked: Sequence[ImageInfo | str],
  *,
  options: DataConfig,
) -> list[Picture]:
  """The images of files: every page, or the page `options.page`.

  Args:
    root: the folder of the files.
    paths: the files.
    checked: what is known of the first page of each.
    options: the section `data`.
  """
  pictures = []
  for i, (path, info) in enumerate(zip(paths, checked, strict=True)):
    name = path.relative_to(root).as_posix()
    pictures += _pictures(name, i, info, options)
  later = [x for x in pictures if x.found == _UNCHECKED]
  found = checks.check_files(
    root,
    [paths[x.file] for x in later],
    threads=options.threads,
    pages=[x.page for x in later],
  )
  known = {x.name: info for x, info in zip(later, found, strict=True)}
  complete = [known[x.name] if x.name in known else x.found for x in pictures]
  return [
    dataclasses.replace(x, found=_usable(info, options))
    for x, info in zip(pictures, complete, strict=True)
  ]


def check_types(
  root: pathlib.Path, infos: Sequence[ImageInfo], options: DataConfig
) -> None:
  """Raise a UserError for images whose values have no common scale."""
  types = {info.dtype for info in infos}
  if len(types) > 1 and (options.value_range or types - {*_TYPES}):
    raise UserError(
      f"data.path={root}: expected values of one type, or of 8 and 16 bits"
      f" without data.value_range, got {', '.join(sorted(types))}"
    )


def findings(
  root: pathlib.Path, pictures: Sequence[Picture], options: DataConfig
) -> Findings:
  """What is known of the values and pages of images."""
  infos = [x.found for x in pictures if isinstance(x.found, ImageInfo)]
  if not infos:
    return Findings()
  dtype = max((info.dtype for info in infos), key=values.num_bits)
  seen = min(x.low for x in infos), max(x.high for x in infos)
  return Findings(
    bits=values.num_bits(dtype),
    stored_channels=sorted({info.channels for info in infos}),
    value_seen=seen,
    skipped=_other_pages(pictures, options),
    warnings=[
      *values.doubts(str(root), dtype, seen, options.value_range),
      *_depths(root, pictures),
      *_notes(pictures),
      *_stacks(pictures),
    ],
  )


def _pictures(
  name: str, file: int, info: ImageInfo | str, options: DataConfig
) -> list[Picture]:
  """The images of a file; pages after the first are not checked yet."""
  if isinstance(info, str):
    return [Picture(name=name, file=file, page=-1, found=info)]
  first, count = info.pages[0], len(info.pages)
  if count == 1:
    return [Picture(name=name, file=file, page=first, found=info)]
  noun = "mask" if options.masks else "hint" if options.hints else ""
  if noun and options.page < 0:
    why = f"several pages with one {noun} ({count}): data.page chooses one"
    return [Picture(name=name, file=file, page=-1, found=why)]
  if options.page >= count:
    why = f"no page data.page={options.page} (it has {count})"
    return [Picture(name=name, file=file, page=-1, found=why)]
  pages = info.pages if options.page < 0 else (info.pages[options.page],)
  return [
    Picture(
      name=f"{name} page {info.pages.index(page)}",
      file=file,
      page=page,
      found=info if page == first else _UNCHECKED,
    )
    for page in pages
  ]


def _usable(found: ImageInfo | str, options: DataConfig) -> ImageInfo | str:
  """What is known of an image, or why its values cannot be used."""
  if isinstance(found, str):
    return found
  if not resize.converts(found.channels, options.channels):
    return (
      f"{found.channels} channels, which cannot be converted to"
      f" data.channels={options.channels}"
    )
  if found.bits and found.dtype not in _TYPES and not options.value_range:
    return (
      f"values of type {found.dtype} ({found.low:g} to {found.high:g}) have no"
      " black and white: set data.value_range=(black, white)"
    )
  black, white = values.effective_range(found.dtype, options.value_range)
  outside = found.high < black or found.low > white
  margin = white - black
  guessed = not options.value_range and (
    found.low < black - margin or found.high > white + margin
  )
  if outside or guessed:
    return (
      f"outside data.value_range, {black:g} to {white:g}"
      f" ({found.low:g} to {found.high:g})"
    )
  return found


def _other_pages(
  pictures: Sequence[Picture], options: DataConfig
) -> dict[str, list[str]]:
  if options.page < 0:
    return {}
  names = [
    f"{x.name.rpartition(' page ')[0]} page {i}"
    for x in pictures
    if isinstance(x.found, ImageInfo)
    for i, page in enumerate(x.found.pages)
    if page != x.page
  ]
  return {"page other than data.page": names} if names else {}


def _depths(root: pathlib.Path, pictures: Sequence[Picture]) -> list[str]:
  found = [x.found for x in pictures if isinstance(x.found, ImageInfo)]
  low = [info for info in found if info.bits == 8]
  if not low or len(low) == len(found):
    return []
  return [
    f"{root}: {len(low):,} images of 8 bits are scaled to the 16 bits of the"
    f" other {len(found) - len(low):,}"
  ]


def _notes(pictures: Sequence[Picture]) -> list[str]:
  """What readers have noted of images: the number and the first names."""
  noted = [
    f"{x.name}: {x.found.note}"
    for x in pictures
    if isinstance(x.found, ImageInfo) and x.found.note
  ]
  return [
    f"{len(names):,} images: {note}: {problems.listed(names)}"
    for note, names in problems.by_reason(noted).items()
  ]


def _stacks(pictures: Sequence[Picture]) -> list[str]:
  """That pages are images."""
  pages = [x for x in pictures if " page " in x.name]
  files = {x.file for x in pages}
  if len(pages) <= len(files):
    return []
  return [
    f"{len(files):,} files have several pages: they are"
    f" {len(pages):,} images (data.page chooses one of each)"
  ]
