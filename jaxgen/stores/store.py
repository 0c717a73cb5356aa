"""A run's objects in a store, by fsspec: `gs://BUCKET/NAME` by gcsfs, and other
stores by the packages that fsspec names."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from jaxgen.errors import UserError
from jaxgen.formats import addresses
from jaxgen.formats.atomic import part_name

WHOLE = 1 << 26  # bytes; larger files are not read into memory
_TAGS = (
  "md5Hash",
  "crc32c",
  "ETag",
  "etag",
  "mtime",
  "LastModified",
  "created",
)


class StoreError(Exception):
  """A store cannot be reached, or refuses; the message is one line."""


class Remote(NamedTuple):
  """An object in a listing.

  Attributes:
    size: bytes.
    tag: a text that differs if the content does: its checksum, as far as the
      store lists one, else the time of its last write.
  """

  size: int
  tag: str


class Store:
  """The objects below an address; names are relative to it.

  Raises:
    StoreError: by every method, if the store cannot be reached or refuses.
  """

  def __init__(self, address: str | pathlib.Path):
    """Open an address; nothing is sent yet.

    Raises:
      UserError: no such kind of store, or its package is not installed.
    """
    self.address = addresses.canonical(address)
    self._fs = _file_system(self.address)
    self._root = str(self._fs._strip_protocol(self.address))

  def _name(self, name: str) -> str:
    return f"{self._root}/{name}"

  def list(self) -> dict[str, Remote]:
    """All objects; none if there is no such folder, and an error if there is no
    such bucket."""
    with self._reaching():
      self._fs.invalidate_cache()
      try:
        listing = self._fs.find(self._root, detail=True)
      except FileNotFoundError as e:
        raise StoreError("there is no such bucket") from e
    infos: Mapping[str, Any] = dict(listing)
    return {
      path[len(self._root) + 1 :]: _remote(info)
      for path, info in infos.items()
      if path.startswith(f"{self._root}/") and not path.endswith("/")
    }

  def read(self, name: str) -> bytes | None:
    """The content of an object; None if there is none."""
    with self._reaching():
      try:
        return bytes(self._fs.cat_file(self._name(name)))
      except FileNotFoundError:
        return None

  def write(self, name: str, content: bytes) -> None:
    """Write an object, or replace it."""
    with self._reaching():
      self._fs.pipe_file(self._name(name), content)

  def create(self, name: str, content: bytes) -> bool:
    """Write an object unless there is one; returns whether it was written.

    Raises:
      NotImplementedError: the store cannot decide that for all processes.
    """
    with self._reaching():
      try:
        self._create(self._name(name), content)
      except FileExistsError:
        return False
    return True

  def _create(self, path: str, content: bytes) -> None:
    if isinstance(self._fs, LocalFileSystem):
      pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
      with open(path, "xb") as file:
        file.write(content)
      return
    kind = type(self._fs)
    method = getattr(kind, "_pipe_file", kind.pipe_file)
    known = "mode" in inspect.signature(method).parameters
    if (
      method is AbstractFileSystem.pipe_file or not known
    ):  # looks, then writes
      raise NotImplementedError
    self._fs.pipe_file(path, content, mode="create")

  def upload(self, path: pathlib.Path, name: str) -> None:
    """Write a file as an object; one that grows meanwhile is written as it was
    at some time.

    Raises:
      FileNotFoundError: the file has been removed.
    """
    if path.stat().st_size <= WHOLE:
      return self.write(name, path.read_bytes())
    with self._reaching():
      self._fs.put_file(str(path), self._name(name))

  def download(self, name: str, path: pathlib.Path) -> None:
    """Write an object as a file, atomically.

    Raises:
      FileNotFoundError: the object has been removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(part_name())
    try:
      with self._reaching():
        self._fs.get_file(self._name(name), str(part))
      part.replace(path)
    finally:
      part.unlink(missing_ok=True)

  def delete(self, names: Sequence[str]) -> None:
    """Remove objects, in order; those that are gone already do not count."""
    for name in names:
      with self._reaching(), contextlib.suppress(FileNotFoundError):
        self._fs.rm_file(self._name(name))

  @contextlib.contextmanager
  def _reaching(self) -> Iterator[None]:
    """Translates the errors of the block, of which there are many kinds."""
    try:
      yield
    except (StoreError, FileNotFoundError, NotImplementedError):
      raise
    except Exception as e:
      lines = str(e).strip().splitlines() or [type(e).__name__]
      raise StoreError(lines[0].rstrip(".")[:200]) from e


def _remote(info: Mapping[str, Any]) -> Remote:
  tags = [str(info[key]) for key in _TAGS if info.get(key)]
  return Remote(int(info["size"]), tags[0] if tags else "")


def _file_system(address: str) -> Any:
  """The file system of an address, without a cache of listings."""
  name = addresses.store_of(address)
  logging.getLogger("gcsfs").setLevel(
    logging.CRITICAL
  )  # errors are ours to say
  os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
  try:
    kind = fsspec.get_filesystem_class(name)
  except ValueError as e:
    raise UserError(f"{address}: fsspec knows no store {name}://.") from e
  except ImportError as e:
    raise UserError(f"{address}: {_remedy(name, e)}.") from e
  options: dict[str, Any] = {"use_listings_cache": False}
  options |= {"auto_mkdir": True} if name in ("file", "local") else {}
  with contextlib.ExitStack() as stack:
    stack.enter_context(_opening(address))
    return kind(skip_instance_cache=True, **options)


@contextlib.contextmanager
def _opening(address: str) -> Iterator[None]:
  """Raises a UserError for errors of the block, such as of credentials."""
  try:
    yield
  except Exception as e:
    lines = str(e).strip().splitlines() or [type(e).__name__]
    raise UserError(f"{address}: {lines[0].rstrip('.')[:200]}.") from e


def _remedy(name: str, error: ImportError) -> str:
  """What to install for a store."""
  if name in ("gs", "gcs"):
    return 'needs gcsfs: pip install "jaxgen[gcs]"'
  return str(error).splitlines()[0].rstrip(".")
