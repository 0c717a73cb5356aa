"""Is the time that `jaxgen plan` tells that which a training step takes?

    python scripts/measure_time.py

For the combinations of `measure_memory.py`: what the plan says of 1000 images,
from the compiled step and the rates of this machine, against the median of a
few steps that are run. On a machine with nothing else to do; a quarter of an
hour on two CPU cores.
"""

import argparse

import jax
import jax.numpy as jnp
from measure_memory import COMBINATIONS, plan_of

from jaxgen.planning import cost, roofline


def main() -> None:
  """Predict, measure, print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--repeats", type=int, default=4)
  args = parser.parse_args()
  rates = roofline.measure(jnp.float32, 1)
  print(
    f"{rates.flops / 1e9:.0f} GFLOP/s and {rates.bandwidth / 1e9:.1f} GB/s",
    "planned; seconds for 1000 images: planned, measured, off",
  )
  for index, (name, stage, model) in enumerate(COMBINATIONS):
    plan = plan_of(index)
    planned = cost.describe(plan, 0, rates)["seconds_per_1000"]
    taken = 1000 * step_seconds(plan, args.repeats) / stage["batch_size"]
    what = ", ".join(f"{k}={v}" for k, v in (stage | model).items())
    print(
      name, what, f"{planned:.1f} {taken:.1f} {planned / taken - 1:+.0%}",
      flush=True,
    )  # fmt: skip


def step_seconds(plan, repeats):
  """Median time of an update, on a batch of zeros."""
  shapes = cost.batch_shapes(plan, 0)
  batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  held, step, pace = [plan.fresh()], plan.update(0), plan.pace(0)

  def call():
    held[0], metrics = step(held[0], batch, pace)
    return metrics

  return roofline.seconds(call, repeats)


if __name__ == "__main__":
  main()
