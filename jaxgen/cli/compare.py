"""Compare runs and sampling methods on the same data.

  jaxgen compare --workdir=runs/rocks --workdir=runs/rocks_edm --out=comparison
  jaxgen compare --workdir=A --workdir=B --out=O --num=512 \\
    --samplers=heun-18,ddim-25

Candidates are two densities for an autoencoder, and for a denoiser DDPM with
1000 steps, DDIM with 50 and 25, and Heun with 18 (or --samplers), with the
conditions of real tiles; for one of latents, and for a hybrid (with latents of
the mixture, and of each run of latent diffusion), Heun with 18. Beside them are
the autoencoders' reconstructions of real tiles, plain and with Gaussian noise
of the spectrum that they lack, a bound for all that is decoded; those by PCA
with as many dimensions; and tiles that a hybrid has repainted, once and 16
times on average. Measures Frechet distance and KID with bootstrap intervals,
precision, recall, diversity, spectra, images/s, network calls and memory, also
for a second set of real tiles, on the data of the first run.
Writes comparison.csv and comparison.html.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Mapping
from typing import Any

from jaxgen.cli import flags, inputs, outputs
from jaxgen.cli.output_folder import replacing

NOTE = (
  "{num} images per candidate; features: {features}; 95% bootstrap intervals. "
  "Real tiles have diversity 1 and spectrum error 0 dB. Memory is that of the "
  "compiled program of a batch, including parameters; training seconds are "
  "those of the steps only."
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  parser.add_argument(
    "--workdir",
    required=True,
    action="append",
    type=flags.run_folder,
    help="folder of a run; repeatable",
  )
  parser.add_argument(
    "--out", required=True, type=pathlib.Path, help="output folder"
  )
  parser.add_argument(
    "--num",
    type=flags.integer(16),
    default=256,
    help="images per candidate (default: 256)",
  )
  parser.add_argument(
    "--samplers", default="", metavar="S,...", help="samplers of denoisers"
  )
  flags.add_features_flags(parser)
  flags.add_batch_flag(parser)
  flags.add_deterministic_flag(parser)
  flags.add_seed_flag(parser, help="seed of the images (default: 0)")
  parser.add_argument(
    "--seeds",
    type=flags.integer(1),
    default=1,
    help="sets of images of each candidate, from --seed on, each with a row"
    " (default: 1)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Measure, print and write."""
  from jaxgen.evaluation import comparison
  from jaxgen.evaluation.candidates import candidates
  from jaxgen.images import image_grid
  from jaxgen.metrics.features import features
  from jaxgen.report import comparison as report
  from jaxgen.report.origin import origin
  from jaxgen.sample.load import load

  outputs.check_folder(args.out)
  network = features(args.features, args.inception_weights)
  runs = [inputs.require_generator(load(x)) for x in args.workdir]
  samplers = tuple(filter(None, args.samplers.split(",")))
  notes = comparison.check_comparable(runs)
  every = candidates(runs, samplers)
  total = sum(x.network_calls for x in every) * args.num * args.seeds
  print(f"{total:,} network calls in total (images times calls)", flush=True)
  rows, images = comparison.compare(
    every,
    args.num,
    network=network,
    batch=args.batch,
    seed=args.seed,
    seeds=args.seeds,
  )
  notes.append(NOTE.format(num=args.num, features=network.name))
  names = report.titles(network.frechet, rows)
  with replacing(args.out, "compare") as folder:
    report.write_comparison_csv(folder / "comparison.csv", rows)
    report.write_comparison_page(
      folder / "comparison.html",
      rows,
      pictures={k: image_grid(v[: outputs.GRID]) for k, v in images.items()},
      names=names,
      notes=notes,
      facts=origin(args.command, runs),
    )
  _print(rows, names)
  for note in notes:
    print(note)
  print(f"comparison.csv and comparison.html are in {args.out}.")


def _print(
  rows: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> None:
  """Print a table of measures, without their intervals."""
  from rich.console import Console
  from rich.table import Table

  from jaxgen.report.comparison import cell_text

  table = Table("")
  for name in rows:
    table.add_column(name, justify="right", overflow="fold")
  for measure, title in names.items():
    cells = (cell_text(row, measure) for row in rows.values())
    table.add_row(title, *(x.partition(" (")[0] for x in cells))
  Console().print(table)
