"""The config of a run as its folder records it, read without JAX.

`config.json` is the resolved config; `conditions.json` holds the names of the
conditions' values, so that a run can be opened without its data.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING, Any

from jaxgen.config import files
from jaxgen.errors import UserError
from jaxgen.formats.atomic import write_json

if TYPE_CHECKING:
  from jaxgen.typing import ConditionNames

CONFIG, CONDITIONS = "config.json", "conditions.json"


def read_config(workdir: pathlib.Path) -> Any:
  """The config of a run.

  Raises:
    UserError: the folder holds no run, or its config is damaged.
  """
  return files.read_config(workdir / CONFIG)


def differences(workdir: pathlib.Path, config: Any) -> list[str]:
  """`key: old -> new` for each key in which a config differs from that of the
  run in a folder; none where the folder records no config.

  Raises:
    UserError: the recorded config is damaged.
  """
  if not (workdir / CONFIG).exists():
    return []
  return files.differences(read_config(workdir), config)


def save(workdir: pathlib.Path, config: Any, names: ConditionNames) -> None:
  """Record a config, and the names of its conditions' values if it has any."""
  files.save_config(config, workdir / CONFIG)
  if names:
    write_json(workdir / CONDITIONS, dict(names))


def read_condition_names(workdir: pathlib.Path) -> ConditionNames:
  """The names of the conditions' values; empty where a run has none.

  Raises:
    UserError: the file is damaged.
  """
  path = workdir / CONDITIONS
  if not path.is_file():
    return {}
  try:
    names = json.loads(path.read_text())
    return {name: tuple(map(str, values)) for name, values in names.items()}
  except (ValueError, AttributeError, TypeError) as e:
    raise UserError(f"{path} is damaged: {e}") from e


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlannedStages:
  """The stages of a run as its config plans them.

  Attributes:
    task: the model family.
    resolutions: of each stage, in pixels.
    lengths: images of each stage, in whole batches; if adaptive, at most.
    adaptive: whether a stage may end early.
  """

  task: str
  resolutions: tuple[int, ...]
  lengths: tuple[int, ...]
  adaptive: bool


def read_planned_stages(workdir: pathlib.Path) -> PlannedStages | None:
  """The stages in the raw JSON of a config; None where there is no config.

  Raises:
    ValueError: the config is damaged.
  """
  path = workdir / CONFIG
  try:
    config = json.loads(path.read_bytes())
    columns = config["stages"]
    longest = max(map(len, columns.values()))
    images, batches, resolutions = (
      [int(x) for x in columns[name] * (longest // len(columns[name]))]
      for name in ("images", "batch_size", "resolution")
    )
    return PlannedStages(
      task=str(config["task"]),
      resolutions=tuple(resolutions),
      lengths=tuple(
        -(-n // b) * b for n, b in zip(images, batches, strict=True)
      ),
      adaptive=config["train"].get("advance") == "adaptive",
    )
  except FileNotFoundError:
    return None
  except Exception as e:  # whatever a file by another hand may hold
    reason = str(e) or type(e).__name__
    raise ValueError(f"{path.name} is damaged: {reason}") from e
