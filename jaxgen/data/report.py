"""The data report: a summary, its warnings and a sheet of tiles, in files."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgen.config.data import DataConfig
from jaxgen.data import doubts, sheet, sources, summary
from jaxgen.data.summary import NAMED, DataSummary
from jaxgen.formats.atomic import write_json
from jaxgen.formats.png import write_png

REPORT, SHEET = "data_report.json", "data.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataReport:
  """A data summary with its warnings and a sheet of tiles.

  Attributes:
    summary: the numbers.
    warnings: sentences about what is doubtful.
    picture: a sheet of tiles, uint8 (h, w, 3).
  """

  summary: DataSummary
  warnings: Sequence[str]
  picture: np.ndarray

  def write(self, folder: pathlib.Path, **extra: Any) -> dict[str, Any]:
    """Write both files to a folder; returns the content of the first.

    Args:
      folder: the folder, created if needed.
      **extra: further entries of the file.
    """
    write_png(folder / SHEET, self.picture)
    content = _as_json(self.summary, self.warnings)
    content |= {"tiles": str(folder / SHEET), **extra}
    write_json(folder / REPORT, content)
    return content


def make_report(
  options: DataConfig, resolution: int, *, labels_used: bool = False
) -> DataReport:
  """The report of the data of a config, at a resolution.

  Args:
    options: the section `data`.
    resolution: side of a tile in pixels.
    labels_used: whether the model needs every class.

  Raises:
    UserError: the data cannot be used, or contradict the config.
  """
  train = sources.build(options, "train", resolution)
  validation = sources.build(options, "validation", resolution)
  found = summary.summarize(train, validation, options)
  doubts.check_classes(found, labels_used=labels_used)
  return DataReport(
    summary=found,
    warnings=doubts.warnings(found),
    picture=sheet.draw(train, validation, options),
  )


def _as_json(summary: DataSummary, warnings: Sequence[str]) -> dict[str, Any]:
  """A summary and its warnings as JSON values."""
  hidden = ("sample", "notes")
  fields = [x.name for x in dataclasses.fields(summary)]
  skipped = summary.skipped
  values = {k: getattr(summary, k) for k in fields if k not in hidden} | {
    "skipped": {reason: len(names) for reason, names in skipped.items()},
    "skipped_names": {k: names[:NAMED] for k, names in skipped.items()},
    "warnings": warnings,
  }
  return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
  """A value with Python's own types instead of numpy's."""
  if isinstance(value, Mapping):
    return {str(k): _plain(x) for k, x in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(x) for x in value]
  return value.item() if isinstance(value, np.generic) else value
