"""Compare ways of making images on the same data: how good, at what cost.

  jaxgen compare --workdirs=runs/rocks,runs/rocks_edm --out=comparison
  jaxgen compare --workdirs=A,B --out=O --num=512 --samplers=heun-18,ddim-25

Of an autoencoder its two priors, of a denoiser DDPM with 1000 steps, DDIM with
50 and 25, and Heun with 18 (or --samplers), under the conditions of as many
real tiles. Measures Frechet distance and KID with bootstrap intervals,
precision, recall, diversity, spectra, images/s, network calls and memory beside
those of other real tiles, on the data of the first run. Writes comparison.csv
and comparison.html.
"""

from __future__ import annotations

import argparse
import pathlib

from jaxgen.cli import common
from jaxgen.errors import UserError


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  parser.add_argument(
    "--workdirs", required=True, metavar="A,B,...", help="folders of runs"
  )
  parser.add_argument(
    "--out", required=True, type=pathlib.Path, help="a folder"
  )
  parser.add_argument(
    "--num", type=common.whole(16), default=256, help="images of each way"
  )
  parser.add_argument(
    "--samplers", default="", metavar="S,...", help="of denoisers"
  )
  common.add_features_flags(parser)
  parser.add_argument("--batch", type=common.whole(1), default=64)
  parser.add_argument("--seed", type=common.whole(0, 2**32 - 1), default=0)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Measure, print and write."""
  from rich.console import Console
  from rich.table import Table

  from jaxgen.evaluation import comparison
  from jaxgen.images import image_grid
  from jaxgen.metrics.features import features
  from jaxgen.report import comparison as report
  from jaxgen.sample.load import load

  common.make_folder(args.out)
  network = features(args.features, args.inception_weights)
  paths = args.workdirs.split(",")
  if not all(paths):
    raise UserError(f"--workdirs={args.workdirs}: a name is empty.")
  runs = [load(path) for path in paths]
  samplers = tuple(filter(None, args.samplers.split(",")))
  notes = comparison.check(runs)
  ways = comparison.candidates(runs, samplers)
  total = sum(x.calls for x in ways) * args.num
  print(f"{total:,} calls of networks in all (images times calls)", flush=True)
  rows, images = comparison.compare(
    ways,
    args.num,
    network=network,
    batch=args.batch,
    seed=args.seed,
  )
  notes += [
    f"{args.num} images of each way; features: {network.name}; 95% "
    "bootstrap intervals. Diversity 1 and spectrum 0 dB are those of real "
    "tiles. Memory is that of the compiled program of a batch, parameters "
    "included; training seconds are those of the steps alone."
  ]
  pictures = {k: image_grid(v[: common.GRID]) for k, v in images.items()}
  report.write_csv(args.out / "comparison.csv", rows)
  page = args.out / "comparison.html"
  title, called = "Comparison", network.frechet
  names = report.columns(called)
  report.write_html(page, title, rows, pictures, notes, names)
  table = Table("")
  for name in rows:
    table.add_column(name, justify="right", overflow="fold")
  for measure, name in names.items():
    cells = (report.cell(row, measure) for row in rows.values())
    table.add_row(name, *(x.partition(" (")[0] for x in cells))
  Console().print(table)
  for note in notes:
    print(note)
  print(f"comparison.csv and comparison.html are in {args.out}.")
