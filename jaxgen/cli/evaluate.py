"""Measure reconstructions of held-out images, beside PCA and the mean image.

  jaxgen evaluate --workdir=runs/demo
  jaxgen evaluate --workdir=runs/demo --input=my_tiles --out=results

PCA has as many dimensions as the latent and is fitted to training tiles, drawn
as training draws them. Writes metrics.json and per_image.csv.
"""

from __future__ import annotations

import argparse
import pathlib

from jaxgen.cli import common

UNITS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "mse": "MSE", "l1": "L1"}


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  common.add_run_flags(parser, out=None)
  common.add_input_flag(parser)
  parser.add_argument(
    "--out", type=pathlib.Path, help="a folder (default: WORKDIR/evaluation)"
  )
  parser.add_argument(
    "--num", type=common.whole(1), default=1024, help="validation tiles at most"
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Evaluate, print and write."""
  from jaxgen.sample import evaluate

  out = args.out or args.workdir / "evaluation"
  model = common.open_autoencoder(args, out)
  if args.input:
    names, images = common.read_images(model, args)
  else:
    images = model.images("validation", args.num)
    names = [f"validation_{i:05}" for i in range(len(images))]
  scores, facts = evaluate.evaluate(model, images, batch=args.batch)
  facts["source"] = args.input or "the validation split"
  evaluate.write(out, names, scores, facts)
  _print_table(evaluate.means(scores), facts)
  print(f"metrics.json and per_image.csv are in {out}.")


def _print_table(table: dict[str, dict[str, float]], facts: dict) -> None:
  from rich.console import Console
  from rich.table import Table

  size = " x ".join(map(str, facts["latent_shape"]))
  print(
    f"{facts['images']} images of {facts['source']}; step {facts['step']}, "
    f"latent {size}; PCA of {facts['pca_dimensions']} dimensions, fitted to "
    f"{facts['training_tiles']} training tiles"
  )
  shown = Table()
  columns = [k for k in UNITS if k in table["autoencoder"]]
  shown.add_column("")
  for k in columns:
    shown.add_column(UNITS[k], justify="right")
  for name, row in table.items():
    digits = {"psnr": ".2f"}
    values = [format(row[k], digits.get(k, ".4f")) for k in columns]
    shown.add_row(name, *values)
  Console().print(shown)
