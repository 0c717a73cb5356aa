"""When, by which command, and of which data and runs a page was made."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.config.experiment import Experiment

if TYPE_CHECKING:
  from jaxgen.sample.run import LoadedRun


def now() -> str:
  """The date and time, UTC."""
  time = datetime.datetime.now(datetime.UTC)
  return f"{time:%Y-%m-%d %H:%M} UTC"


def data(experiment: Experiment) -> str:
  """The data of a config in words."""
  options = experiment.data
  side = experiment.stages[-1].resolution
  path = f" {options.path}" if options.path else ""
  return f"{options.source}{path}, {side} x {side} pixels"


def origin(command: str, runs: Sequence[LoadedRun]) -> dict[str, str]:
  """The facts of a page on some runs, for `html.write_page`."""
  unique = list({x.workdir: x for x in runs}.values())
  return {
    "date": now(),
    "command": command,
    "data": "; ".join(dict.fromkeys(data(x.experiment) for x in unique)),
    "checkpoints": "; ".join(f"{x.workdir}, step {x.step:,}" for x in unique),
  }
