"""The loss around each change of stage, from the metrics file.

    python scripts/plot_stages.py --workdirs=runs/a,runs/b --out=stages.png

Draws a column of metrics.csv against images seen, marks the changes of stage,
and prints by how much the first values after a change exceed the last before.
"""

import argparse
import csv
import pathlib

import matplotlib

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
    rows = read(workdir / "metrics.csv", args.column)
    axes.plot(
      *zip(*((x, y) for x, y, _ in rows), strict=True), label=workdir.name
    )
    for images, ratio, pixels in changes(rows):
      axes.axvline(images, color="grey", linewidth=0.6)
      print(
        f"{workdir.name}: {pixels} pixels after {images:,} images: {ratio:.2f}"
      )
  axes.set(xlabel="images seen", ylabel=args.column, yscale="log")
  axes.legend(frameon=False)
  figure.savefig(args.out, dpi=120)


def read(path, column):
  """(images, value, resolution) of each line that has the value."""
  with path.open() as file:
    return [
      (int(row["images"]), float(row[column]), int(row["resolution"]))
      for row in csv.DictReader(file)
      if row[column]
    ]


def changes(rows, few=3):
  """(images, ratio, new resolution) of each change of stage: the largest of the
  first `few` values after it over the mean of the last `few` before."""
  for i in range(1, len(rows)):
    if rows[i][2] != rows[i - 1][2]:
      before = [y for _, y, _ in rows[max(0, i - few) : i]]
      after = [y for _, y, _ in rows[i : i + few]]
      yield rows[i - 1][0], max(after) * len(before) / sum(before), rows[i][2]


if __name__ == "__main__":
  main()
