"""The speed of the demo and of every `:benchmark` variant."""

from __future__ import annotations

from device_checks.check import CONFIGS, TOY, Options, Result, experiment
from jaxgen.config.experiment import Experiment
from jaxgen.errors import UserError
from jaxgen.planning import benchmark

DEMO, VARIANT = "textures_patch_ae.py:demo", "benchmark"


def variants() -> dict[str, Experiment]:
  """The experiment of every config file with a variant `benchmark`, after that
  of the demo."""
  found = {DEMO: experiment(DEMO)}
  for path in sorted(CONFIGS.glob("*.py")):
    try:
      name = f"{path.name}:{VARIANT}"
      found[name] = experiment(name)
    except UserError:  # it has no such variant
      continue
  return found


def rates(options: Options) -> Result:
  """Images per second in training, the share of a matrix product's rate, and
  the data pipeline over training."""
  experiments = variants()
  if options.smallest:
    name = "textures_patch_ae.py:smoke"
    experiments = {name: experiment(name, **TOY)}
  repeats = 2 if options.smallest else 10
  reports = {
    name: benchmark.benchmark(experiments[name], repeats=repeats)
    for name in options.parts(experiments)
  }
  lines = [
    f"{name}: {x['train_images_per_second']:,.0f} images/s, "
    f"{x['share_of_matrix_product']:.0%} of a matrix product, "
    f"data {x['data_over_training']:.1f} times as fast"
    for name, x in reports.items()
  ]
  return Result(
    holds=options.smallest
    or all(x["data_over_training"] >= 1 for x in reports.values()),
    summary="; ".join(lines) + f" ({len(reports)} of {len(experiments)})",
    values=reports,
  )
