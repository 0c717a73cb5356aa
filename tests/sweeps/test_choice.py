"""The rule that selects the winner of a phase."""

import itertools

import pytest

from jaxgen.errors import RunError
from jaxgen.sweeps import Phase, TradeOff
from jaxgen.sweeps.choice import choose, needed_gain, ranked

RULE = (TradeOff(cost="latent_size", gain=0.1, factor=4.0),)


def phase(rows, metric="mse", trade_offs=RULE, **options):
  runs = {name: {} for name in rows}
  return Phase(
    name="p", runs=runs, metric=metric, trade_offs=trade_offs, **options
  )


def winner(rows, **options):
  rows = {k: {"mse": v[0], "latent_size": v[1]} for k, v in rows.items()}
  return choose(phase(rows, **options), rows).run


@pytest.mark.parametrize(
  ("better", "taken"), [(0.0901, "small"), (0.0899, "large")]
)
def test_four_times_the_latent_size_requires_a_tenth_less_error(better, taken):
  assert winner({"small": (0.1, 64), "large": (better, 256)}) == taken


def test_the_rate_of_exchange_holds_at_every_ratio():
  rule = RULE[0]
  assert needed_gain(rule, 1) == 0
  assert needed_gain(rule, 4) == pytest.approx(0.1)
  assert needed_gain(rule, 16) == pytest.approx(0.19)
  for ratio in (1.5, 2, 10, 100):
    limit = 0.1 * (1 - needed_gain(rule, ratio))
    for factor, taken in ((0.999, "large"), (1.001, "small")):
      rows = {"small": (0.1, 1000), "large": (limit * factor, 1000 * ratio)}
      assert winner(rows) == taken


def test_at_the_same_cost_the_best_is_taken():
  assert winner({"a": (0.1, 64), "b": (0.0999, 64)}) == "b"
  assert winner({"b": (0.1, 64), "a": (0.1, 64)}) == "a"


def test_of_equals_the_smaller_is_taken():
  assert winner({"a": (0.0, 64), "b": (0.0, 16)}) == "b"
  assert winner({"a": (0.0, 64), "b": (0.5, 16)}) == "a"


def test_the_winner_does_not_depend_on_the_order():
  rows = {
    "a": (0.1, 16),
    "b": (0.092, 64),
    "c": (0.082, 256),
    "d": (0.07, 2000),
  }
  found = {winner(dict(x)) for x in itertools.permutations(rows.items())}
  assert len(found) == 1
  pairs = [
    winner({x: rows[x], y: rows[y]}) for x, y in itertools.combinations(rows, 2)
  ]
  assert pairs.count(found.pop()) == 3  # it beats each of the others


def test_without_a_trade_off_the_best_is_taken():
  assert winner({"s": (0.1, 1), "l": (0.0999, 10**6)}, trade_offs=()) == "l"


def test_decibels_are_compared_as_the_errors_they_stand_for():
  rows = lambda db: {  # noqa: E731
    "small": {"psnr": 25.0, "latent_size": 64},
    "large": {"psnr": 25.0 + db, "latent_size": 256},
  }
  for db, taken in ((0.45, "small"), (0.46, "large")):  # -10 lg 0.9 = 0.458
    found = choose(phase(rows(db), metric="psnr"), rows(db))
    assert found.run == taken


def test_two_costs_multiply():
  both = (*RULE, TradeOff(cost="parameters", gain=0.1, factor=4.0))
  rows = {
    "small": {"mse": 0.1, "latent_size": 64, "parameters": 10},
    "large": {"mse": 0.085, "latent_size": 256, "parameters": 40},
  }
  assert choose(phase(rows), rows).run == "large"
  assert choose(phase(rows, trade_offs=both), rows).run == "small"


def test_a_metric_of_the_task_has_its_direction():
  rows = {"a": {"validation/miou": 0.4}, "b": {"validation/miou": 0.5}}
  for direction, taken in (("max", "b"), ("min", "a")):
    made = phase(
      rows, metric="validation/miou", direction=direction, trade_offs=()
    )
    assert choose(made, rows).run == taken
    assert ranked(made, rows)[0] == taken


def test_the_reason_names_the_shares():
  rows = {
    "small": {"mse": 0.1, "latent_size": 64},
    "large": {"mse": 0.096, "latent_size": 256},
  }
  said = choose(phase(rows), rows).reason
  assert all(x in said for x in ("large", "4.0%", "4 times", "10.0%"))
  rows["large"]["mse"] = 0.08
  said = choose(phase(rows), rows).reason
  assert said.startswith("large") and "small" in said and "25.0%" in said


def test_only_the_deciding_group_decides():
  rows = {
    "a": {"mse": 0.1, "latent_size": 64},
    "b": {"mse": 0.2, "latent_size": 64},
    "c": {"mse": 0.3, "latent_size": 64},
  }
  made = phase(rows, groups={"all": ("a", "b"), "equal": ("b", "c")})
  assert choose(made, rows).run == "a"
  made = phase(rows, groups={"equal": ("b", "c")}, decides="equal")
  assert choose(made, rows).run == "b"


def test_runs_that_were_not_measured_are_left_out():
  rows = {"a": {"mse": 0.3, "latent_size": 1}, "b": {"latent_size": 1}}
  rows["c"] = {"mse": float("nan"), "latent_size": 1}
  assert choose(phase(rows), rows).run == "a"
  assert ranked(phase(rows), rows)[0] == "a"
  del rows["a"]
  with pytest.raises(RunError, match="--choose=p=RUN"):
    choose(phase(rows), rows)


def test_an_error_may_be_the_price_of_another():
  """Twice the MSE must reduce the loss of the probe by a tenth."""
  rule = (TradeOff(cost="mse", gain=0.1, factor=2.0),)
  for loss, taken in ((0.89, "smooth"), (0.91, "sharp")):
    rows = {
      "sharp": {"probe_loss": 1.0, "mse": 0.01},
      "smooth": {"probe_loss": loss, "mse": 0.02},
    }
    found = choose(phase(rows, metric="probe_loss", trade_offs=rule), rows)
    assert found.run == taken and "MSE" in found.reason
