"""Measured times as a Markdown table and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from peers.timing import Seconds

OURS = "jaxgen"
EAGER = "PyTorch, eager"
COMPILED = "torch.compile"
STOCK = "flax's layers"
CALLS = "denoiser calls"
HEADER = (
  "| network | pass | program | wall, ms | CPU, ms "
  "| jaxgen's wall time relative to it | CPU time | goal |\n"
  "|---|---|---|---|---|---|---|---|"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """Times of the programs of one pass of a network.

  Attributes:
    network: its name.
    part: `forward`, `train` or `sample`.
    times: by program, one entry per round.
    goals: largest accepted time of jaxgen relative to a program.
  """

  network: str
  part: str
  times: dict[str, list[Seconds]]
  goals: dict[str, float]

  def lines(self) -> Iterator[str]:
    """Lines of the table, one per program."""
    for name, times in self.times.items():
      cells = [self.network, self.part, name]
      cells += [_milliseconds(x) for x in np.transpose(times)]
      ratios = np.divide(self.times[OURS], times).T  # wall, CPU
      same = name == OURS
      cells += ["", ""] if same else [_ratio(x) for x in ratios]
      cells.append(_verdict(ratios, self.goals.get(name)))
      yield f"| {' | '.join(cells)} |"

  def to_json(self) -> dict[str, Any]:
    """All times, in seconds."""
    names = Seconds._fields
    times = {
      k: dict(zip(names, np.transpose(v).tolist(), strict=True))
      for k, v in self.times.items()
    }
    return {"network": self.network, "pass": self.part, "seconds": times}


def _milliseconds(seconds: np.ndarray) -> str:
  """The median, and the quartiles."""
  low, median, high = np.quantile(1000 * seconds, (0.25, 0.5, 0.75))
  return f"{median:.4g} ({low:.4g} to {high:.4g})"


def _ratio(ratios: np.ndarray) -> str:
  """The median of the rounds' ratios, the lowest and the highest."""
  return f"{np.median(ratios):.3g} ({ratios.min():.3g} to {ratios.max():.3g})"


def _verdict(ratios: np.ndarray, goal: float | None) -> str:
  if goal is None:
    return ""
  met = ["met" if x <= goal else "missed" for x in np.median(ratios, axis=1)]
  return f"{goal}: wall {met[0]}, CPU {met[1]}"
