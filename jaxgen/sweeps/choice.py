"""Which run of a phase is taken.

The rule 'if less than 10% better for 4 times the numbers, take the smaller' is
read as a rate of exchange: each factor f in cost c must bring a share g less
error e, whatever the step. A run then beats another exactly where its

    merit = e * c ** s,  s = -ln(1 - g) / ln f

is smaller. At 4 times the cost that is the rule itself; at 16 times 19% are
asked for, at the same cost any gain is enough; and as merits are numbers, the
winner does not depend on the order of comparison.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.errors import RunError
from jaxgen.sweeps.metrics import FACTS, Metric, metric
from jaxgen.sweeps.spec import Phase, TradeOff

Row = Mapping[str, Any]  # what was measured of a run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """The run that was taken, why, by the rule or by a person, and what the rule
  would have taken."""

  run: str
  reason: str
  by: str = "rule"
  rule: str = ""


def needed_gain(trade_off: TradeOff, ratio: float) -> float:
  """The share by which the error must be smaller at `ratio` times the cost, in
  [0, 1) for ratios of at least 1."""
  steps = math.log(ratio) / math.log(trade_off.factor)
  return 1 - (1 - trade_off.gain) ** steps


def merit(
  row: Row, name: str, measure: Metric, trade_offs: Sequence[TradeOff]
) -> float:
  """The error of a run times the price of what it costs; less is better."""
  price = [
    (1 - x.gain) ** (-math.log(max(row[x.cost], 1e-9)) / math.log(x.factor))
    for x in trade_offs
  ]
  return measure.error(row[name]) * math.prod(price)


def choose(phase: Phase, rows: Mapping[str, Row]) -> Choice:
  """The winner of a phase by its rule.

  Args:
    phase: with the metric and the trade-offs.
    rows: measures of the finished runs, by name.

  Raises:
    RunError: none of the candidates has what the rule needs.
  """
  name, measure = phase.metric, metric(phase.metric, phase.direction)
  needed = [name, *(x.cost for x in phase.trade_offs)]
  known = {
    run: rows[run]
    for run in phase.candidates
    if run in rows and all(_number(rows[run].get(k)) for k in needed)
  }
  if not known:
    raise RunError(
      f"{phase.name}: no run has {' and '.join(needed)}: choose one yourself "
      f"with --choose={phase.name}=RUN."
    )
  costs = [x.cost for x in phase.trade_offs]
  order = lambda run: (  # noqa: E731
    merit(known[run], name, measure, phase.trade_offs),
    *(known[run][c] for c in costs),
    run,
  )
  winner = min(known, key=order)
  reason = _reason(phase, known, winner, measure)
  return Choice(run=winner, reason=reason, rule=winner)


def _number(value: Any) -> bool:
  return isinstance(value, int | float) and math.isfinite(value)


def _reason(
  phase: Phase, rows: Mapping[str, Row], winner: str, measure: Metric
) -> str:
  """What tells the winner from the best, or from the next in cost."""
  name = phase.metric
  error = lambda run: measure.error(rows[run][name])  # noqa: E731
  best = min(rows, key=lambda run: (error(run), run))
  is_ = f"{measure.title} {rows[winner][name]:{measure.form}}"
  among = f" in {phase.decides}" if phase.decides else ""
  if len(rows) == 1:
    return f"{winner}{among} has {is_}, and no other run can be compared."
  if best != winner:
    return f"{winner}{among} has {is_}. " + _refused(
      phase, rows[best], rows[winner], best, error(best), error(winner)
    )
  others = sorted((x for x in rows if x != winner), key=error)
  text = f"{winner}{among} is best: {is_}, {_of(phase, rows[winner])}"
  if error(others[0]) == error(winner):
    return f"{text} The others are no better and cost no less."
  if not error(winner):
    return f"{text} It has no error at all."
  more = error(others[0]) / error(winner) - 1
  return f"{text} The next, {others[0]}, has {more:.1%} more."


def _of(phase: Phase, row: Row) -> str:
  costs = [f"{row[x.cost]:,.6g} {_called(x.cost)}" for x in phase.trade_offs]
  return f"at {' and '.join(costs)}." if costs else "whatever it costs."


def _called(cost: str) -> str:
  return FACTS[cost].title


def _refused(
  phase: Phase, best: Row, winner: Row, name: str, low: float, high: float
) -> str:
  """Why the best run was not taken."""
  gain = 1 - low / high if high else 0.0
  asked = 1 - math.prod(
    1 - needed_gain(x, best[x.cost] / max(winner[x.cost], 1e-9))
    for x in phase.trade_offs
  )
  times = " and ".join(
    f"{best[x.cost] / max(winner[x.cost], 1e-9):.3g} times its "
    f"{_called(x.cost)}"
    for x in phase.trade_offs
  )
  error = "mean square error" if phase.metric == "psnr" else "error"
  return (
    f"{name} has {gain:.1%} less {error} for {times}, which must bring "
    f"{asked:.1%}."
  )


def chosen_by_person(phase: Phase, run: str, rule: Choice | None) -> Choice:
  """A person's choice, beside what the rule says."""
  other = f" The rule: {rule.reason}" if rule else ""
  return Choice(
    run=run,
    reason=f"{run} was chosen by a person.{other}",
    by="person",
    rule=rule.run if rule else "",
  )


def ranked(phase: Phase, rows: Mapping[str, Row]) -> list[str]:
  """Runs from the best to the worst by the metric, those without it last."""
  measure = metric(phase.metric, phase.direction)

  def place(run: str) -> tuple[bool, float]:
    value = rows[run].get(phase.metric)
    if value is None or not _number(value):
      return True, 0.0
    return False, measure.error(value)

  return sorted(rows, key=place)
