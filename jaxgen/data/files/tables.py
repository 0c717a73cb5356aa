"""Tables of labels, `index.csv`, as spreadsheets and programs write them.

Columns are separated by commas, semicolons or tabs, or by what a first line
`sep=` says; the text is UTF-8, or UTF-16 with a byte order mark. Names of
columns are read without regard to case and spaces around them.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import pathlib
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from jaxgen.errors import UserError
from jaxgen.formats.problems import listed

_DELIMITERS = ",;\t"
_FILES = ("file", "filename", "file_name", "path", "image")  # first: preferred
_LABELS = ("label", "class")
_MISSING = ("", "nan", "<na>", "-1")  # labels that say that there is none
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_WHOLE = re.compile(r"(-?\d+)\.0*")  # integers next to NaN, as pandas writes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
  """The rows of a table.

  Attributes:
    columns: the names of its columns.
    label: the column of labels; empty: it has none.
    rows: the label of each file, empty if it has none.
  """

  columns: tuple[str, ...]
  label: str
  rows: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matches:
  """The labels of files, with what has no partner.

  Attributes:
    labels: the label of each file; empty without one.
    without_row: the files that no row names.
    without_file: the rows that name no file.
  """

  labels: Sequence[str]
  without_row: Sequence[str]
  without_file: Sequence[str]


def read_table(path: pathlib.Path) -> Table:
  """Read a table with a column of files.

  Raises:
    UserError: it cannot be understood (its columns are named), or it has two
      labels for a file.
  """
  lines, delimiter = _lines(path)
  try:
    header, *rows = csv.reader(
      lines, delimiter=delimiter, skipinitialspace=True, strict=True
    )
  except csv.Error as error:
    raise UserError(f"{path} is not a table of CSV: {error}") from error
  columns = _columns(header)
  file, label = _file_column(columns), _label_column(columns)
  if not file:
    raise UserError(
      f"{path}: expected columns `file` and `label` (or `class`, or"
      f" `..._class`), separated by commas, semicolons or tabs, got"
      f" {', '.join(repr(x) for x in columns)}"
    )
  found = Table(columns=columns, label=label, rows={})
  if not label:
    return found
  pairs = list(_pairs(path, columns, rows, keys=(file, label)))
  return dataclasses.replace(found, rows=_unique(path, pairs))


def match(table: Table, root: pathlib.Path, names: Sequence[str]) -> Matches:
  """The labels of files, by paths relative to `root` or to its folder `images`.

  Paths may have `./`, backslashes, no extension and any Unicode form; letter
  case counts only where a path differs from another by it.
  """
  prefixes = {f"{_path(str(x))}/" for x in (root, root.resolve())}
  rows = {_within(file, prefixes): file for file in table.rows}
  found = {name: _look_up(rows, name) for name in names}
  matched = set(found.values())
  others = {key.casefold(): x for key, x in rows.items() if x not in matched}
  for name in names:
    found[name] = found[name] or _look_up(others, name.casefold())
  matched = set(found.values())
  return Matches(
    labels=[table.rows.get(found[name] or "", "") for name in names],
    without_row=[name for name in names if found[name] is None],
    without_file=[file for file in table.rows if file not in matched],
  )


def _lines(path: pathlib.Path) -> tuple[list[str], str]:
  """The lines of a table that are not blank, and what separates its columns."""
  data = path.read_bytes()
  wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
  try:
    text = data.decode("utf-16" if wide else "utf-8-sig")
  except UnicodeDecodeError as error:
    raise UserError(f"{path} is not in UTF-8: {error}") from error
  lines = [x for x in io.StringIO(text, newline=None) if x.strip()]
  if lines and (said := _SEP.fullmatch(lines[0])):
    lines, delimiter = lines[1:], said[1]
  elif lines:
    delimiter = max(_DELIMITERS, key=lambda x: _fitness(lines[0], x))
  if not lines:
    raise UserError(f"{path} has no columns: the table is empty")
  space = re.compile(f'" +(?={re.escape(delimiter)})')  # after a closing quote
  return [space.sub('"', line) for line in lines], delimiter


def _fitness(header: str, delimiter: str) -> tuple[bool, bool, int]:
  """How well a header is understood with a delimiter; larger is better."""
  columns = _columns(next(csv.reader([header], delimiter=delimiter)))
  return (
    bool(_file_column(columns)),
    bool(_label_column(columns)),
    len(columns),
  )


def _columns(header: Sequence[str]) -> tuple[str, ...]:
  return tuple(x.strip().strip('"').strip().casefold() for x in header)


def _file_column(columns: Sequence[str]) -> str:
  return next((x for x in _FILES if x in columns), "")


def _label_column(columns: Sequence[str]) -> str:
  named = next((x for x in _LABELS if x in columns), "")
  return named or next((x for x in columns if x.endswith("_class")), "")


def _pairs(
  path: pathlib.Path,
  columns: Sequence[str],
  rows: Sequence[Sequence[str]],
  *,
  keys: tuple[str, str],
) -> Iterator[tuple[str, str]]:
  """The file and the label of each row."""
  file, label = (columns.index(key) for key in keys)
  cells = [[x.strip() for x in row] for row in rows]
  for number, row in enumerate(cells, start=1):
    if any(row[len(columns) :]):
      raise UserError(
        f"{path}: row {number}: expected {len(columns)} columns"
        f" ({', '.join(columns)}), got {len(row)}: quote what has a separator"
      )
  values = _labels([row[label] if label < len(row) else "" for row in cells])
  for number, (row, value) in enumerate(zip(cells, values, strict=True), 1):
    name = _path(row[file]) if file < len(row) else ""
    if name or value:
      yield name or f"row {number}", value


def _labels(values: Sequence[str]) -> list[str]:
  """Labels without those that say that there is none."""
  present = [x for x in values if x.casefold() not in _MISSING]
  whole = all(_WHOLE.fullmatch(x) or x.isdecimal() for x in present)
  values = [_WHOLE.sub(r"\1", x) if whole else x for x in values]
  return ["" if x.casefold() in _MISSING else x for x in values]


def _unique(
  path: pathlib.Path, pairs: Sequence[tuple[str, str]]
) -> dict[str, str]:
  """The label of each file."""
  rows: dict[str, str] = {}
  different = [
    file for file, label in pairs if rows.setdefault(file, label) != label
  ]
  if different:
    raise UserError(f"{path}: two labels for one file: {listed(different)}")
  return rows


def _path(text: str) -> str:
  """A path in one form: with `/`, without `./`, in NFC."""
  text = unicodedata.normalize("NFC", text.replace("\\", "/"))
  return posixpath.normpath(text) if text else ""


def _within(file: str, prefixes: set[str]) -> str:
  for prefix in prefixes:
    file = file.removeprefix(prefix)
  return file


def _look_up(rows: Mapping[str, str], name: str) -> str | None:
  """The row of a file, with or without `images/` and its extension."""
  path = _path(name)
  for full in (path, path.removeprefix("images/")):
    for key in (full, str(pathlib.PurePosixPath(full).with_suffix(""))):
      if key in rows:
        return rows[key]
  return None
