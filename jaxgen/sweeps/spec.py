"""Definition of a sweep: phases of named runs, and their selection rules.

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

The config of a run is the base config with the overrides of the sweep, the
winners of earlier phases, its phase and the run itself, in this order. A phase
may have a base of its own, which takes nothing of the phases with other bases
but what it names by `Winner`, so that one sweep trains models on top of each
other:

    Phase(
      name="fine",
      base="configs/rocks_edm.py:demo",
      overrides={"train.init_from": Winner("coarse")},
      runs=...,
    )
"""

from __future__ import annotations

import dataclasses
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
from jaxgen.sweeps.values import Overrides, Winner
from jaxgen.workdir.metrics_csv import HELDOUT

RESERVED = ("jobs", "archive")  # folders in a sweep's workdir
RULE = "rule"  # value of --choose: decide by the rule


@section("trade_off")
class TradeOff:
  """The price of a larger cost: `factor` times the cost must reduce the error
  by the fraction `gain`; see `jaxgen.sweeps.choice`."""

  cost: Cost = "latent_size"
  gain: OpenUnit = 0.1
  factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 4.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
  """A set of runs to compare, and the rule that selects the best.

  Attributes:
    name: name of the phase's folder, also for --choose.
    runs: overrides of each run, by name; see `grid`.
    base: a base config of its own, without the overrides of the sweep; empty:
      that of the sweep.
    metric: metric that selects the best: one of `jaxgen.sweeps.metrics.METRICS`
      or `validation/...`, a held-out metric of the task.
    direction: whether to minimize or maximize a metric of the task; known for
      `METRICS`.
    trade_offs: price of each cost; empty: the best run is selected.
    images: training images of each run, for a single stage; 0: as in the base.
    overrides: overrides of all runs of the phase.
    passes_on: keys of the values that the winner passes on to later phases of
      the same base; None: all of its overrides.
    groups: comparisons within the phase, each with the names of its runs; a run
      may be in several.
    decides: the group from which the winner is selected; empty: all runs.
  """

  name: str
  runs: Mapping[str, Overrides]
  base: str = ""
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
    check_name("phase name", self.name)
    _check_types(self, f"{self.name}.")
    if self.name in RESERVED:
      raise UserError(f"phase name {self.name!r}: the name is reserved.")
    if not self.runs:
      raise UserError(f"{self.name}.runs: expected at least one run.")
    for name in self.runs:
      check_name(f"{self.name}.runs: run name", name)
      if name == RULE:
        raise UserError(
          f"{self.name}.runs: run name {RULE!r}: the name is reserved."
        )
    _check_metric(self)
    _check_groups(self)

  @property
  def candidates(self) -> tuple[str, ...]:
    """The runs from which the winner is selected."""
    return self.groups[self.decides] if self.decides else tuple(self.runs)

  def passed_keys(self, run: str) -> tuple[str, ...]:
    """The keys of the values that a run passes on to later phases."""
    return tuple(self.runs[run]) if self.passes_on is None else self.passes_on


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
  """A base config `FILE.py[:variant]`, phases in order, and overrides of all
  runs of this base."""

  base: str
  phases: tuple[Phase, ...]
  overrides: Overrides = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    _check_types(self)
    names = [phase.name for phase in self.phases]
    if not names:
      raise UserError("phases: expected at least one phase.")
    for name in names:
      if names.count(name) > 1:
        raise UserError(f"phases: expected unique names, got {name} twice.")
    _check_winners(self)

  def phase(self, name: str) -> Phase:
    """The phase with a name.

    Raises:
      UserError: the sweep has no such phase.
    """
    known = {phase.name: phase for phase in self.phases}
    if name not in known:
      raise UserError(f"phase {name}: expected one of {', '.join(known)}.")
    return known[name]

  def earlier(self, phase: Phase) -> tuple[Phase, ...]:
    """The phases before `phase`."""
    return self.phases[: self.phases.index(phase)]

  def ancestors(self, phase: Phase) -> tuple[Phase, ...]:
    """The phases before `phase` with the same base: it starts from the values
    that their winners pass on."""
    return tuple(x for x in self.earlier(phase) if x.base == phase.base)

  def split_path(self, path: str) -> tuple[Phase, str]:
    """The phase and the run given by `PHASE/RUN`.

    Raises:
      UserError: the sweep has no such phase or run.
    """
    name, _, run = path.partition("/")
    phase = self.phase(name)
    if run not in phase.runs:
      raise UserError(
        f"run {path}: expected {name}/ and one of {', '.join(phase.runs)}."
      )
    return phase, run


def check_name(label: str, name: Any) -> None:
  """Raise a UserError unless a name is valid as a folder and a flag value."""
  printable = isinstance(name, str) and name and name.isprintable()
  if not printable or "/" in name or name[0] in ".-" or len(name) > 120:
    raise UserError(
      f"{label} {name!r}: expected 1 to 120 printable characters without /, "
      "the first not a dot or dash."
    )


def _check_types(spec: Phase | Sweep, prefix: str = "") -> None:
  """Raise a UserError unless all fields have their types; lists count as
  tuples."""
  for field, expected in field_types(type(spec)).items():
    value = _with_tuples(getattr(spec, field))
    check_value(f"{prefix}{field}", expected, value)


def _with_tuples(value: Any) -> Any:
  """A value with tuples in place of the lists in it."""
  if isinstance(value, Mapping):
    return {k: _with_tuples(v) for k, v in value.items()}
  return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _check_metric(phase: Phase) -> None:
  label, name = f"{phase.name}.metric={phase.metric!r}", phase.metric
  if name not in METRICS and not name.startswith(HELDOUT):
    raise UserError(
      f"{label}: expected one of {', '.join(METRICS)}, or {HELDOUT}NAME."
    )
  if name not in METRICS and not phase.direction:
    raise UserError(
      f"{label}: expected direction='min' or 'max' for a metric of the task."
    )
  if name in METRICS and phase.direction not in ("", METRICS[name].direction):
    raise UserError(
      f"{phase.name}.direction={phase.direction!r}: expected "
      f"{METRICS[name].direction!r} for {name}."
    )


def _check_groups(phase: Phase) -> None:
  for name, runs in phase.groups.items():
    for run in runs:
      if run not in phase.runs:
        raise UserError(
          f"{phase.name}.groups: {name}: expected names of runs, got {run!r}."
        )
  if phase.decides and not phase.groups.get(phase.decides):
    raise UserError(
      f"{phase.name}.decides={phase.decides!r}: expected the name of a group."
    )


def _check_winners(sweep: Sweep) -> None:
  """Raise a UserError for a `Winner` of a phase that is not an earlier one."""
  _check_earlier(sweep.overrides, (), label="overrides")
  for phase in sweep.phases:
    earlier = [x.name for x in sweep.earlier(phase)]
    _check_earlier(phase.overrides, earlier, label=f"{phase.name}.overrides")
    for run, overrides in phase.runs.items():
      _check_earlier(overrides, earlier, label=f"{phase.name}/{run}")


def _check_earlier(
  overrides: Overrides, earlier: Sequence[str], *, label: str
) -> None:
  for key, value in overrides.items():
    if isinstance(value, Winner) and value.phase not in earlier:
      expected = f"one of {', '.join(earlier)}" if earlier else "there is none"
      raise UserError(
        f"{label}: {key}=Winner({value.phase!r}): expected an earlier phase; "
        f"{expected}."
      )
