"""What a sweep is: phases of named runs, and how each phase is decided.

    def get_sweep(variant=""):
      return Sweep(
        base="configs/rocks_patch_ae.py:demo",
        phases=(
          Phase(
            name="phase_1",
            runs=grid({"model.latent_dim": (32, 128, 512)}),
            metric="mse",
            trade_offs=(TradeOff(cost="latent_size", gain=0.1, factor=4.0),),
          ),
          ...
        ),
      )

A run is the base config, the overrides of the sweep, those of the winners so
far, those of its phase and its own, in this order.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from jaxgen.config.fields import (
  NonNegativeInt,
  OpenUnit,
  check_value,
  field_types,
  section,
)
from jaxgen.errors import UserError
from jaxgen.sweeps.metrics import METRICS, Cost
from jaxgen.workdir.metrics_csv import HELDOUT

Overrides = Mapping[str, Any]  # "model.width" -> value
RESERVED = ("jobs", "set_aside")  # folders in a sweep's workdir
RULE = "rule"  # what --choose takes instead of a run: decide by the rule


@dataclasses.dataclass(frozen=True)
class Times:
  """An override that multiplies what the config has so far, such as the
  winner's; whole numbers must stay whole."""

  factor: float

  def of(self, key: str, value: Any) -> Any:
    """The value times the factor.

    Raises:
      UserError: it is no number, or a whole one that does not stay whole.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
      raise UserError(f"{key}={value!r} cannot be multiplied: it is no number.")
    found = value * self.factor
    if isinstance(value, float):
      return found
    if found != int(found) or found < 1:
      raise UserError(
        f"{key}: {value} times {self.factor} is {found}; a whole number is "
        "needed."
      )
    return int(found)


@section("trade_off")
class TradeOff:
  """A larger cost must pay: `factor` times the cost for a share `gain` less
  error; see `jaxgen.sweeps.choice`."""

  cost: Cost = "latent_size"
  gain: OpenUnit = 0.1
  factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 4.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
  """Runs that are compared, and how the best is found.

  Attributes:
    name: its folder's, and what --choose calls it.
    runs: overrides of each run, by its name; see `grid`.
    metric: that tells the best: of `jaxgen.sweeps.metrics.METRICS`, or
      `validation/...`, a held-out metric of the task.
    direction: of a metric of the task, which is better; of the others known.
    trade_offs: what a better metric may cost; none: the best is taken.
    images: training budget of each run of one stage; 0: as in the base.
    overrides: of all its runs.
    passes_on: keys whose values the next phases get from the winner; None: all
      of its overrides.
    groups: comparisons within the phase, names of runs each; a run may be in
      several of them.
    decides: the group from which the winner is taken; "": from all runs.
  """

  name: str
  runs: Mapping[str, Overrides]
  metric: str = "mse"
  direction: Literal["", "min", "max"] = ""
  trade_offs: tuple[TradeOff, ...] = (TradeOff(),)
  images: NonNegativeInt = 0
  overrides: Overrides = dataclasses.field(default_factory=dict)
  passes_on: tuple[str, ...] | None = None
  groups: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  decides: str = ""

  def __post_init__(self):
    check_name("a phase", self.name)
    if self.name in RESERVED:
      raise UserError(f"no phase can be called {self.name!r}.")
    if not self.runs:
      raise UserError(f"{self.name}: a phase needs runs.")
    for name in self.runs:
      check_name(f"{self.name}: a run", name)
      if name == RULE:
        raise UserError(f"{self.name}: no run can be called {RULE!r}.")
    _check_metric(self)
    _check_groups(self)

  @property
  def candidates(self) -> tuple[str, ...]:
    """The runs from which the winner is taken."""
    return self.groups[self.decides] if self.decides else tuple(self.runs)

  def passed(self, run: str) -> tuple[str, ...]:
    """Keys whose values the next phases get from a run."""
    return tuple(self.runs[run]) if self.passes_on is None else self.passes_on


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
  """A base config, `FILE.py[:variant]`, the phases in their order, and
  overrides of all runs."""

  base: str
  phases: tuple[Phase, ...]
  overrides: Overrides = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    names = [phase.name for phase in self.phases]
    if not names:
      raise UserError("a sweep needs phases.")
    for name in names:
      if names.count(name) > 1:
        raise UserError(f"{name}: two phases have this name.")

  def phase(self, name: str) -> Phase:
    """The phase of a name.

    Raises:
      UserError: there is none.
    """
    known = {phase.name: phase for phase in self.phases}
    if name not in known:
      raise UserError(
        f"{name}: there is no such phase; there are {', '.join(known)}."
      )
    return known[name]

  def run(self, place: str) -> tuple[Phase, str]:
    """The phase, and the run in it, that `PHASE/RUN` names."""
    name, _, run = place.partition("/")
    phase = self.phase(name)
    if run not in phase.runs:
      raise UserError(
        f"{place}: {name} has no such run; there are {', '.join(phase.runs)}."
      )
    return phase, run


def grid(values: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
  """Runs for every combination of values, the last key's changing fastest;
  `{"model.width": (32, 64)}` gives `width_32` and `width_64`."""
  found = {}
  for row in itertools.product(*values.values()):
    overrides = dict(zip(values, row, strict=True))
    found["-".join(_spoken(*item) for item in overrides.items())] = overrides
  return found


def _spoken(key: str, value: Any) -> str:
  last = key.rpartition(".")[2]
  listed = isinstance(value, tuple | list)
  return f"{last}_{'x'.join(map(str, value)) if listed else value}"


def check_name(kind: str, name: Any) -> None:
  """Refuse what cannot be the name of a folder and of a flag's value."""
  good = isinstance(name, str) and name and name.isprintable()
  if not good or "/" in name or name[0] in ".-" or len(name) > 120:
    raise UserError(
      f"{kind} is called {name!r}: 1 to 120 printable characters without / "
      "are needed, the first one no point or dash."
    )


def _check_metric(phase: Phase) -> None:
  known, name = [*METRICS], phase.metric
  if name not in known and not name.startswith(HELDOUT):
    raise UserError(
      f"{phase.name}: metric={name!r}: one of {', '.join(known)}, or "
      f"{HELDOUT}NAME is needed."
    )
  if name not in known and not phase.direction:
    raise UserError(
      f"{phase.name}: metric={name!r} needs direction='min' or 'max'."
    )
  if name in known and phase.direction not in ("", METRICS[name].direction):
    raise UserError(f"{phase.name}: {name}: less is not more, nor the reverse.")
  for field in ("direction", "images", "trade_offs"):
    expected = field_types(Phase)[field]
    check_value(f"{phase.name}.{field}", expected, getattr(phase, field))


def _check_groups(phase: Phase) -> None:
  for name, runs in phase.groups.items():
    for run in runs:
      if run not in phase.runs:
        raise UserError(f"{phase.name}: {name}: there is no run {run!r}.")
  if phase.decides and not phase.groups.get(phase.decides):
    raise UserError(f"{phase.name}: decides={phase.decides!r} is no group.")
