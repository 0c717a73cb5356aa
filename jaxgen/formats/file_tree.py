"""Files below a folder, with links followed and hidden names passed over."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Collection


def files_below(
  root: pathlib.Path, suffixes: Collection[str]
) -> list[pathlib.Path]:
  """The files below a folder with one of the suffixes (lower case), sorted.

  Linked folders are followed, except to a folder that contains the link. Files
  and folders whose name starts with a dot are passed over: among them are the
  shadow files `._NAME` of macOS.
  """
  found: list[pathlib.Path] = []
  _collect(root, frozenset(), found)
  return sorted(path for path in found if path.suffix.lower() in suffixes)


def hidden_below(
  root: pathlib.Path, suffixes: Collection[str]
) -> list[pathlib.Path]:
  """The files with one of the suffixes that `files_below` passes over since
  their own name starts with a dot, sorted."""
  return sorted(
    path
    for path in root.rglob(".*")
    if path.suffix.lower() in suffixes and path.is_file()
  )


def _collect(
  folder: pathlib.Path,
  above: frozenset[tuple[int, int]],
  found: list[pathlib.Path],
) -> None:
  """Append the files below `folder`, which lies in the folders `above`, given
  by device and inode."""
  stat = folder.stat()
  here = stat.st_dev, stat.st_ino
  if here in above:
    return
  with os.scandir(folder) as entries:
    visible = [x for x in entries if not x.name.startswith(".")]
  for entry in visible:
    if entry.is_dir():
      _collect(folder / entry.name, above | {here}, found)
    elif entry.is_file():
      found.append(folder / entry.name)
