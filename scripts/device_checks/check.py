"""Checks of a device, and their outcome as a row of the table."""

from __future__ import annotations

import dataclasses
import pathlib
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from jaxgen.config.experiment import Experiment
from jaxgen.config.files import load_experiment

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
Row = dict[str, Any]  # name, verdict, seconds, summary, values
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
  """How to run a check.

  Attributes:
    folder: an empty folder for runs.
    smallest: whether to check as little as possible, for tests on CPU.
    end: the time of `time.monotonic` after which no further part is started.
    inception_weights: weight file of Inception, if any.
  """

  folder: pathlib.Path
  smallest: bool = False
  end: float = float("inf")
  inception_weights: str = ""

  def parts(self, items: Iterable[T], *, smallest: int = 1) -> Iterator[T]:
    """The parts of a check: the first few of the smallest one, else as many as
    there is time for."""
    for i, item in enumerate(items):
      late = i > 0 and time.monotonic() > self.end
      if late or (self.smallest and i == smallest):
        return
      yield item


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
  """The result of a check that ran.

  Attributes:
    holds: whether the device is sound in this respect.
    summary: one line for the table.
    values: all numbers, for the JSON file.
  """

  holds: bool
  summary: str
  values: Mapping[str, Any]


class NotApplicable(Exception):
  """A check that makes no sense on this device; the message says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
  """A check.

  Attributes:
    name: name on the command line and in the table.
    run: the check itself.
    seconds: time after which it starts no further part.
    environment: variables that have to be set before a device is used.
  """

  name: str
  run: Callable[[Options], Result]
  seconds: int
  environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def row(check: Check, options: Options) -> Row:
  """Run a check in this process; an error becomes part of the row."""
  start, values = time.monotonic(), {}
  try:
    result = check.run(options)
    verdict, values = "holds" if result.holds else "WRONG", result.values
    summary = result.summary
  except NotApplicable as e:
    verdict, summary = "not applicable", str(e)
  except Exception as e:
    verdict, summary = "FAILED", f"{type(e).__name__}: {e}".split("\n")[0]
    values = {"traceback": traceback.format_exc()}
  return {
    "name": check.name,
    "verdict": verdict,
    "seconds": round(time.monotonic() - start, 1),
    "summary": summary,
    "values": dict(values),
  }


TOY = {"model__encoder_depth": 1, "model__decoder_depth": 0}  # to compile


def experiment(name: str, **fields: Any) -> Experiment:
  """The experiment of a config file, as in `rocks_edm.py:smoke`, with fields
  changed; `__` stands for a dot."""
  flags = [f"--config.{k.replace('__', '.')}={v}" for k, v in fields.items()]
  return load_experiment(str(CONFIGS / name), flags)
