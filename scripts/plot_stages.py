"""Plot the training loss around each change of stage.

    python scripts/plot_stages.py --workdir=runs/a --workdir=runs/b \
      --out=stages.png

Plots a column of metrics.csv against images seen and marks the changes of
stage. For each it prints the largest of the first three values after it, and
the largest mean of three in the whole stage, relative to the last three before.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator
from statistics import mean
from typing import NamedTuple

import matplotlib

from jaxgen.workdir import metrics_csv

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Point = tuple[int, float, int]  # images seen, value, resolution


class Change(NamedTuple):
  """A change of stage, with losses relative to the mean before it."""

  images: int
  first: float  # the largest of the first values
  highest: float  # the largest moving average in the stage
  resolution: int  # of the new stage


def main() -> None:
  """Plot and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    "--workdir",
    required=True,
    action="append",
    type=pathlib.Path,
    help="folder of a run; repeatable",
  )
  parser.add_argument("--column", default="mse", help="default: mse")
  parser.add_argument("--out", default="stages.png", help="the plot")
  args = parser.parse_args()
  figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
  for workdir in args.workdir:
    points = read(workdir, args.column)
    if not points:
      parser.error(f"--workdir={workdir}: no values of {args.column}")
    images, values, _ = zip(*points, strict=True)
    axes.plot(images, values, label=workdir.name, linewidth=1)
    for change in changes(points):
      axes.axvline(change.images, color="gray", linewidth=0.6)
      print(
        f"{workdir.name}: {change.resolution} pixels after {change.images:,} "
        f"images: {change.first:.2f}, at most {change.highest:.2f}"
      )
  axes.set(xlabel="images seen", ylabel=args.column, yscale="log")
  axes.legend(frameon=False)
  figure.savefig(args.out, dpi=120)


def read(workdir: pathlib.Path, column: str) -> list[Point]:
  """The rows of a run that have a value of the column."""
  return [
    (int(row["images"]), row[column], int(row["resolution"]))
    for row in metrics_csv.read(workdir)
    if column in row
  ]


def changes(points: list[Point], *, window: int = 3) -> Iterator[Change]:
  """The changes of stage, with means over `window` values."""
  for i in range(1, len(points)):
    resolution = points[i][2]
    if resolution != points[i - 1][2]:
      before = mean(y for _, y, _ in points[max(0, i - window) : i])
      after = [y for _, y, side in points[i:] if side == resolution]
      means = [
        mean(after[j : j + window]) for j in range(len(after) - window + 1)
      ]
      yield Change(
        images=points[i - 1][0],
        first=max(after[:window]) / before,
        highest=max(means, default=float("nan")) / before,
        resolution=resolution,
      )


if __name__ == "__main__":
  main()
