"""Sizes of the runs of `first_gpu_day.sh`, and their rows in the benchmarks.

    python scripts/first_gpu_day.py size --speed=S.json --seconds=300
    python scripts/first_gpu_day.py record --workdir=D --speed=S.json \
      --config=configs/rocks_edm.py

`size` prints the flags of a run that takes a number of seconds at the speed
that `jaxgen benchmark` measured; `record` writes or replaces the run's row in
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen.workdir import metrics_csv
from jaxgen.workdir.duration import duration

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "benchmarks.md"
TITLE = "## First day on a GPU"
COLUMNS = (
  "config",
  "device",
  "images",
  "training",
  "held-out PSNR",
  "evaluation",
  "images/s",
  "share of a matrix product",
  "data over training",
)
HEAD = f"""{TITLE}

- Command: `scripts/first_gpu_day.sh FOLDER`
- 25 minutes for all runs together, so none is trained to its end

| {" | ".join(COLUMNS)} |
|{"---|" * len(COLUMNS)}
"""
ROUND = 1024  # images of a run are a multiple of it
STARTED = 0.9  # share of the seconds without evaluations and previews


def number_of_images(
  speed: Mapping[str, Any], *, seconds: float, tiles: int = 0
) -> int:
  """The images that training sees in a number of seconds.

  Args:
    speed: the report of `jaxgen benchmark`.
    seconds: the time.
    tiles: number of tiles that are held in memory after the data pipeline has
      made each once; 0: it makes every image anew.
  """
  train, data = (
    speed[f"{name}_images_per_second"] for name in ("train", "data")
  )
  slower, budget = min(train, data), STARTED * seconds
  first = tiles / slower  # seconds for the first pass
  images = (
    tiles + train * (budget - first)
    if tiles and first < budget
    else slower * budget
  )
  return max(1, int(images) // ROUND) * ROUND


def flags(images: int) -> dict[str, Any]:
  """The config fields of a run with so many images."""
  return {
    "stages.images": f"({images},)",
    "optimizer.warmup_images": images // 20,
    "optimizer.ema_halflife": images // 20,
    "train.evaluate_images": images // 4,
    "train.save_images": images // 4,
    "train.preview_images": images // 2,
  }


def kl_flags(images: int) -> dict[str, Any]:
  """The schedule of the KL weight in a run with so many images."""
  return {
    "kl.start_images": images // 5,
    "kl.period_images": images // 5,
    "kl.cooldown_images": images // 20,
    "kl.interval_images": images // 100,
    "kl.smoothing_images": images // 20,
  }


def cells(
  workdir: pathlib.Path, speed: Mapping[str, Any], config: str
) -> list[str]:
  """The cells of a run's row."""
  rows = metrics_csv.read(workdir)
  images, seconds = metrics_csv.training_time(rows) or (0, 0.0)
  psnr = metrics_csv.latest(rows).get("validation/psnr", float("nan"))
  return [
    f"`{config}`",
    speed["devices"].removeprefix("1 x "),
    f"{images:,}",
    duration(seconds),
    f"{psnr:.2f} dB",
    evaluation(workdir / "evaluation" / "metrics.json"),
    f"{speed['train_images_per_second']:,.0f}",
    f"{speed['share_of_matrix_product']:.0%}",
    f"{speed['data_over_training']:.1f}",
  ]


def evaluation(path: pathlib.Path) -> str:
  """The results of `jaxgen evaluate` that a table shows; empty without any."""
  if not path.is_file():
    return ""
  content = json.loads(path.read_text())
  metrics = content["metrics"]
  if "samples" in metrics:
    ours, floor = (metrics[x]["frechet"] for x in ("samples", "real (floor)"))
    name = content["frechet"]
    return f"{name} {ours:.1f} ({floor:.1f}), {content['images']} images"
  ours, pca = metrics["autoencoder"], metrics["pca"]
  names = [x for x in ("psnr", "ssim", "lpips") if x in ours]
  text = ", ".join(f"{x.upper()} {ours[x]:.4g} ({pca[x]:.4g})" for x in names)
  return f"{text} (PCA in brackets)"


def with_row(page: str, row: list[str]) -> str:
  """A page with a row of the table, which replaces one of the same config and
  device; the section is added if it is missing."""
  line, key = f"| {' | '.join(row)} |", f"| {row[0]} | {row[1]} |"
  if TITLE not in page:
    return f"{page.rstrip()}\n\n{HEAD}{line}\n".lstrip()
  before, _, section = page.partition(TITLE)
  _, _, section = section.partition(f"|{'---|' * len(COLUMNS)}\n")
  lines = section.splitlines()
  end = next((i for i, x in enumerate(lines) if not x.startswith("|")), None)
  table = [x for x in lines[:end] if not x.startswith(key)]
  rest = [] if end is None else lines[end:]
  return before + HEAD + "\n".join([*table, line, *rest]) + "\n"


def _size(args: argparse.Namespace) -> None:
  speed = json.loads(args.speed.read_text())
  images = number_of_images(speed, seconds=args.seconds, tiles=args.tiles)
  fields = flags(images) | (kl_flags(images) if args.kl else {})
  for name, value in fields.items():
    print(f"--config.{name}={value}")


def _record(args: argparse.Namespace) -> None:
  speed = json.loads(args.speed.read_text())
  page = args.page.read_text() if args.page.is_file() else ""
  row = cells(args.workdir, speed, args.config)
  args.page.write_text(with_row(page, row))
  print(f"Wrote the row of {args.config} to {args.page}.")


def main(argv: list[str] | None = None) -> None:
  """Print flags, or write a row."""
  parser = argparse.ArgumentParser(description=__doc__)
  commands = parser.add_subparsers(required=True)
  size = commands.add_parser("size", help="flags of a run")
  size.set_defaults(run=_size)
  size.add_argument("--seconds", type=float, required=True)
  size.add_argument("--tiles", type=int, default=0, help="tiles in memory")
  size.add_argument("--kl", action="store_true", help="it is variational")
  record = commands.add_parser("record", help="write the row of a run")
  record.set_defaults(run=_record)
  record.add_argument("--workdir", type=pathlib.Path, required=True)
  record.add_argument("--config", required=True)
  record.add_argument("--page", type=pathlib.Path, default=PAGE)
  for command in (size, record):
    command.add_argument("--speed", type=pathlib.Path, required=True)
  args = parser.parse_args(argv)
  args.run(args)


if __name__ == "__main__":
  main()
