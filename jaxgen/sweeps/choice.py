"""The rule that selects the winner of a phase.

The rule "select the smaller latent unless 4 times the size reduces the error by
at least 10%" is generalized to an exchange rate: each factor f of the cost c
must reduce the error e by a fraction g. A run then beats another if its

    merit = e * c ** s,  s = -ln(1 - g) / ln f

is smaller. At 4 times the cost this is the rule itself; at 16 times the cost a
reduction of 19% is required; at equal cost any reduction suffices. Since merits
are numbers, the winner does not depend on the order of comparison.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.errors import RunError
from jaxgen.sweeps.metrics import Metric, cost_title, metric
from jaxgen.sweeps.spec import Phase, TradeOff

Measures = Mapping[str, Any]  # measures of a run, by name; see `sweeps.measure`
Results = Mapping[str, Measures]  # measures of finished runs, by run
LEAST_COST = 1e-9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """The winner of a phase.

  Attributes:
    run: the winner.
    reason: explanation of the choice.
    by: `rule` or `person`.
    rule: the run selected by the rule; empty: none.
  """

  run: str
  reason: str
  by: str = "rule"
  rule: str = ""


def needed_gain(trade_off: TradeOff, ratio: float) -> float:
  """The fraction by which the error must be reduced at `ratio` times the cost,
  in [0, 1) for ratios of at least 1."""
  steps = math.log(ratio) / math.log(trade_off.factor)
  return 1 - (1 - trade_off.gain) ** steps


def merit(
  measures: Measures,
  name: str,
  *,
  measure: Metric,
  trade_offs: Sequence[TradeOff],
) -> float:
  """The error of a run times the price of its costs; smaller is better."""
  prices = [
    (1 - x.gain)
    ** (-math.log(max(measures[x.cost], LEAST_COST)) / math.log(x.factor))
    for x in trade_offs
  ]
  return measure.error(measures[name]) * math.prod(prices)


def choose(phase: Phase, results: Results) -> Choice:
  """The winner of a phase by its rule.

  Args:
    phase: the phase, with its metric and trade-offs.
    results: measures of the finished runs, by name.

  Raises:
    RunError: no candidate has the measures that the rule needs.
  """
  name, measure = phase.metric, metric(phase.metric, phase.direction)
  needed = [name, *(x.cost for x in phase.trade_offs)]
  comparable = {
    run: results[run]
    for run in phase.candidates
    if run in results and all(_is_finite(results[run].get(k)) for k in needed)
  }
  if not comparable:
    raise RunError(
      f"{phase.name}: expected a run with {' and '.join(needed)}, got none; "
      f"choose a run with --choose={phase.name}=RUN."
    )
  costs = [x.cost for x in phase.trade_offs]

  def order(run: str) -> tuple:
    measures = comparable[run]
    value = merit(measures, name, measure=measure, trade_offs=phase.trade_offs)
    return value, *(measures[cost] for cost in costs), run

  winner = min(comparable, key=order)
  reason = _explain(phase, comparable, winner=winner)
  return Choice(run=winner, reason=reason, rule=winner)


def _is_finite(value: Any) -> bool:
  return isinstance(value, int | float) and math.isfinite(value)


def _explain(phase: Phase, results: Results, *, winner: str) -> str:
  """A comparison of the winner with the best run, or the second best."""
  measure = metric(phase.metric, phase.direction)
  errors = {run: measure.error(results[run][phase.metric]) for run in results}
  best = min(results, key=lambda run: (errors[run], run))
  name = f"{winner} in {phase.decides}" if phase.decides else winner
  score = f"{measure.title} {results[winner][phase.metric]:{measure.form}}"
  if len(results) == 1:
    return f"{name} has {score}; there is no other run to compare."
  if best != winner:
    rejection = _explain_rejection(phase, results, best=best, winner=winner)
    return f"{name} has {score}. {rejection}"
  text = f"{name} is best: {score}, {_costs(phase, results[winner])}"
  second = min((x for x in results if x != winner), key=lambda run: errors[run])
  if errors[second] == errors[winner]:
    return f"{text} No other run is better or cheaper."
  if not errors[winner]:
    return f"{text} Its error is 0."
  excess = errors[second] / errors[winner] - 1
  return f"{text} The second best, {second}, has {excess:.1%} more error."


def _costs(phase: Phase, measures: Measures) -> str:
  costs = [
    f"{measures[x.cost]:,.6g} {cost_title(x.cost)}" for x in phase.trade_offs
  ]
  return f"at {' and '.join(costs)}." if costs else "regardless of its cost."


def _explain_rejection(
  phase: Phase, results: Results, *, best: str, winner: str
) -> str:
  """The reason why the run with the smallest error is not the winner."""
  measure = metric(phase.metric, phase.direction)
  low, high = (measure.error(results[x][phase.metric]) for x in (best, winner))
  gain = 1 - low / high if high else 0.0
  ratios = [
    (x, results[best][x.cost] / max(results[winner][x.cost], LEAST_COST))
    for x in phase.trade_offs
  ]
  required = 1 - math.prod(1 - needed_gain(x, ratio) for x, ratio in ratios)
  costs = " and ".join(
    f"{ratio:.3g} times its {cost_title(x.cost)}" for x, ratio in ratios
  )
  error = "mean squared error" if phase.metric == "psnr" else "error"
  return (
    f"{best} has {gain:.1%} less {error} for {costs}, which requires "
    f"{required:.1%}."
  )


def choose_manually(phase: Phase, run: str, *, rule: Choice | None) -> Choice:
  """A choice by --choose, with the reason of the rule for comparison."""
  other = f" The rule: {rule.reason}" if rule else ""
  return Choice(
    run=run,
    reason=f"{run} was chosen by --choose={phase.name}={run}.{other}",
    by="person",
    rule=rule.run if rule else "",
  )


def ranked(phase: Phase, results: Results) -> list[str]:
  """The runs sorted from best to worst by the metric, those without it
  last."""
  measure = metric(phase.metric, phase.direction)

  def rank(run: str) -> tuple[bool, float]:
    value = results[run].get(phase.metric)
    if value is None or not _is_finite(value):
      return True, 0.0
    return False, measure.error(value)

  return sorted(results, key=rank)
