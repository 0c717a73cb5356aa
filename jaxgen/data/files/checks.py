"""Checks of image files, cached in the user's cache folder between runs.

There is one cache file for each folder of images. A file is checked again if
its size or one of its times changed since; unusable files always are. Entries
of deleted files are dropped when others are added. A cache file that is
damaged, or of another version, is ignored and written anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import PIL
from PIL import Image

from jaxgen.errors import RunError
from jaxgen.formats import atomic, image_files
from jaxgen.formats.image_files import ImageInfo
from jaxgen.formats.user_cache import cache_folder

_VERSION = 3  # increment when checks or entries change
_PAGE = re.compile(" page [0-9]+$")  # the end of a key, see `_key`
_Stamp = list[int]  # size, modification time, time of change
_Entry = tuple[_Stamp, dict[str, Any]]  # stamp and `ImageInfo`


def check_files(
  root: pathlib.Path,
  paths: Sequence[pathlib.Path],
  *,
  threads: int,
  labels: bool = False,
  pages: Sequence[int] = (),
) -> list[ImageInfo | str]:
  """Check files below `root`, those that changed since the last check alone;
  see `image_files.check_files`."""
  pages = pages or (-1,) * len(paths)
  path = _cache_file(root, labels)
  entries = _read(path) if path else {}
  with futures.ThreadPoolExecutor(max(threads, 1)) as pool:
    stamps = list(pool.map(_stamp, paths))
  keys = [_key(*place) for place in zip(paths, pages, strict=True)]
  known = [_look_up(entries, k, s) for k, s in zip(keys, stamps, strict=True)]
  changed = [i for i, info in enumerate(known) if info is None]
  checked = image_files.check_files(
    [paths[i] for i in changed],
    threads=threads,
    labels=labels,
    pages=[pages[i] for i in changed],
  )
  found = dict(zip(changed, checked, strict=True))
  new: dict[str, _Entry] = {
    keys[i]: (stamp, dataclasses.asdict(info))
    for i, info in found.items()
    if (stamp := stamps[i]) and isinstance(info, ImageInfo)
  }
  if path and new:
    _write(path, {**_existing(entries, {*keys}), **new})
  return [info or found[i] for i, info in enumerate(known)]


def _cache_file(root: pathlib.Path, labels: bool) -> pathlib.Path | None:
  folder = cache_folder("checks")
  key = f"{root.resolve()} {labels}".encode(errors="surrogateescape")
  name = hashlib.blake2b(key, digest_size=16).hexdigest()
  return folder and folder / f"{name}.json"


def _stamp(path: pathlib.Path) -> _Stamp | None:
  """What changes with a file; None if there is no file."""
  try:
    stat = path.stat()
  except OSError:
    return None
  return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _key(path: pathlib.Path, page: int) -> str:
  return str(path) if page < 0 else f"{path} page {page}"


def _existing(
  entries: dict[str, _Entry], present: set[str]
) -> dict[str, _Entry]:
  """The entries of files that are still there, as those `present` are."""
  file_of = lambda key: pathlib.Path(_PAGE.sub("", key))  # noqa: E731
  return {
    key: entry
    for key, entry in entries.items()
    if key in present or file_of(key).exists()
  }


def _look_up(
  entries: dict[str, _Entry], key: str, stamp: _Stamp | None
) -> ImageInfo | None:
  old, info = entries.get(key, (None, {}))
  if stamp is None or stamp != old:
    return None
  fields: dict[str, Any] = {**info, "pages": tuple(info["pages"])}
  return ImageInfo(**fields)


def _header(body: bytes) -> bytes:
  """The first line of a cache file: its versions and the digest of the rest."""
  digest = hashlib.blake2b(body, digest_size=16).hexdigest()
  versions = f"{_VERSION} {PIL.__version__} {Image.MAX_IMAGE_PIXELS}"
  return f"{versions} {digest}".encode()


def _read(path: pathlib.Path) -> dict[str, _Entry]:
  try:
    header, _, body = path.read_bytes().partition(b"\n")
    return json.loads(body) if header == _header(body) else {}
  except (OSError, ValueError):
    return {}


def _write(path: pathlib.Path, entries: dict[str, _Entry]) -> None:
  body = json.dumps(entries).encode()
  with contextlib.suppress(RunError), atomic.replacing(path) as file:
    file.write(_header(body) + b"\n" + body)
