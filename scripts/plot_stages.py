"""The loss around each change of stage, from the metrics file.

    python scripts/plot_stages.py --workdirs=runs/a,runs/b --out=stages.png

Draws a column of metrics.csv against images seen, marks the changes of stage,
and prints the largest of the first three values after a change, and the largest
mean of three in the whole stage, relative to the last three before it.
"""

import argparse
import pathlib
from statistics import mean

import matplotlib

from jaxgen.workdir import metrics_csv

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main():
  """Draw and print."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--workdirs", required=True)
  parser.add_argument("--column", default="mse")
  parser.add_argument("--out", default="stages.png")
  args = parser.parse_args()
  figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
  for workdir in map(pathlib.Path, args.workdirs.split(",")):
    rows = read(workdir, args.column)
    if not rows:
      parser.error(f"--workdirs: {workdir} has no numbers of {args.column}")
    axes.plot(
      *zip(*((x, y) for x, y, _ in rows), strict=True),
      label=workdir.name,
      linewidth=1,
    )
    for images, first, highest, pixels in changes(rows):
      axes.axvline(images, color="grey", linewidth=0.6)
      print(
        f"{workdir.name}: {pixels} pixels after {images:,} images: "
        f"{first:.2f}, at most {highest:.2f}"
      )
  axes.set(xlabel="images seen", ylabel=args.column, yscale="log")
  axes.legend(frameon=False)
  figure.savefig(args.out, dpi=120)


def read(workdir, column):
  """(images, value, resolution) of each row that has the value."""
  return [
    (int(row["images"]), row[column], int(row["resolution"]))
    for row in metrics_csv.read(workdir)
    if column in row
  ]


def changes(rows, few=3):
  """(images, first, highest, new resolution) of each change of stage, relative
  to the mean of the last `few` values before: the largest of the first `few`
  after it, and the largest mean of `few` in the stage."""
  for i in range(1, len(rows)):
    if rows[i][2] != rows[i - 1][2]:
      before = mean([y for _, y, _ in rows[max(0, i - few) : i]])
      after = [y for _, y, side in rows[i:] if side == rows[i][2]]
      means = [mean(after[j : j + few]) for j in range(len(after) - few + 1)]
      highest = max(means, default=float("nan"))
      yield (
        rows[i - 1][0],
        max(after[:few]) / before,
        highest / before,
        rows[i][2],
      )


if __name__ == "__main__":
  main()
