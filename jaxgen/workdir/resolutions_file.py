"""The file `resolutions.json` of a run: its table of restorations."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json
from jaxgen.restoration.binning import FILTER
from jaxgen.restoration.resolutions import Row, Table

NAME = "resolutions.json"
FORMAT = "jaxgen resolutions 1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolutions:
  """The content of the file.

  Attributes:
    table: the table; seconds and bytes are those of one tile of the table's
      full resolution, bytes without the parameters.
    parameter_bytes: memory of the parameters.
    calls: network calls of a restoration in the table.
    step: finished updates of the measured checkpoint.
    tiles: number of held-out tiles.
    devices: the devices that the seconds are of.
  """

  table: Table
  parameter_bytes: int
  calls: int
  step: int
  tiles: int
  devices: str


def write(workdir: pathlib.Path, found: Resolutions) -> dict[str, Any]:
  """Write the file; returns its content."""
  content = as_json(found)
  write_json(workdir / NAME, content)
  return content


def as_json(found: Resolutions) -> dict[str, Any]:
  """The content of the file."""
  table, facts = found.table, dataclasses.asdict(found)
  del facts["table"]
  rows = [dataclasses.asdict(x) | {"psnr": x.psnr} for x in table.rows]
  return {
    "format": FORMAT,
    "full_resolution": table.full,
    "enlarged_by": FILTER,
    "photons_unit": "electrons of a white pixel of full resolution",
    **facts,
    "read_noise": table.read_noise,
    "background": table.background,
    "level": table.level,
    "detail": {str(k): v for k, v in table.detail.items()},
    "rows": rows,
  }


def read(workdir: pathlib.Path) -> Resolutions:
  """The file that `jaxgen calibrate --workdir` has written for a run.

  Raises:
    UserError: it is missing or damaged.
  """
  path = workdir / NAME
  try:
    content = json.loads(path.read_text())
  except FileNotFoundError as e:
    raise UserError(
      f"{path} is missing: jaxgen calibrate --workdir={workdir} measures it."
    ) from e
  except (OSError, ValueError, RecursionError) as e:
    raise UserError(f"{path} is damaged: {e}") from e
  try:
    if content["format"] != FORMAT or content["enlarged_by"] != FILTER:
      raise ValueError(f"expected {FORMAT}, enlarged by {FILTER}")
    return _parse(content)
  except (KeyError, TypeError, ValueError, AttributeError) as e:
    raise UserError(
      f"{path} is damaged or of another version ({e}): jaxgen calibrate"
      f" --workdir={workdir} measures it again."
    ) from e


def _parse(content: dict[str, Any]) -> Resolutions:
  names = {x.name for x in dataclasses.fields(Row)}
  rows = [{k: x[k] for k in names} for x in content["rows"]]
  table = Table(
    rows=tuple(Row(**x) for x in rows),
    read_noise=float(content["read_noise"]),
    background=float(content["background"]),
    level=float(content["level"]),
    detail={int(k): float(v) for k, v in content["detail"].items()},
  )
  return Resolutions(
    table=table,
    parameter_bytes=int(content["parameter_bytes"]),
    calls=int(content["calls"]),
    step=int(content["step"]),
    tiles=int(content["tiles"]),
    devices=str(content["devices"]),
  )
