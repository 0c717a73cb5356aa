"""Labels of a folder of images, from its table or its subfolders."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from jaxgen.data import folder_names, splits
from jaxgen.data.files import listing, tables
from jaxgen.errors import UserError
from jaxgen.formats.problems import listed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Labels:
  """The labels of images.

  Attributes:
    names: class names.
    indices: the class of each image, -1 without one.
    skipped: rows of the table that name no image, by reason.
    warnings: what is doubtful, in sentences.
  """

  names: tuple[str, ...]
  indices: np.ndarray
  skipped: dict[str, Sequence[str]] = dataclasses.field(default_factory=dict)
  warnings: Sequence[str] = ()


def read_labels(root: pathlib.Path, names: Sequence[str]) -> Labels:
  """The labels from the table if it has a column of labels, else from
  subfolders.

  Raises:
    UserError: the table cannot be understood, or matches no image.
  """
  path = root / listing.TABLE
  table = tables.read_table(path) if path.is_file() else None
  if table is not None and table.label:
    return _from_table(path, table, names)
  notes = []
  if table is not None:
    notes.append(
      f"{path} has no column of labels (label, class or ..._class), but"
      f" {', '.join(table.columns)}: it is not used"
    )
  classes, indices = splits.class_labels(names)
  notes += [
    f"{name}/ is read as a class, since no other split stands beside it"
    for name in classes
    if folder_names.split_kind(name)
  ]
  return Labels(names=classes, indices=indices, warnings=notes)


def _from_table(
  path: pathlib.Path, table: tables.Table, names: Sequence[str]
) -> Labels:
  matches = tables.match(table, path.parent, names)
  rows, files = matches.without_file, matches.without_row
  if len(files) == len(names):
    raise UserError(
      f"{path} (columns {', '.join(table.columns)}) matches none of the"
      f" {len(names):,} images: expected files relative to the folder or to"
      f" images/, with or without extension, as {names[0]}; got"
      f" {listed(rows) or 'no rows'}"
    )
  notes = []
  if rows:
    notes.append(f"{len(rows):,} rows of {path} have no image: {listed(rows)}")
  if files:
    notes.append(
      f"{len(files):,} images have no row in {path}: {listed(files)}"
    )
  classes, indices = splits.index_labels(matches.labels)
  if not classes:
    notes.append(f"no row of {path} has a label in its column {table.label}")
  skipped = {f"row of {path.name} without an image": rows} if rows else {}
  return Labels(names=classes, indices=indices, skipped=skipped, warnings=notes)
