"""Show what the data of a config are, before they are trained on.

  jaxgen data --config=configs/folder_patch_ae.py --config.data.path=photos
  jaxgen data --input=photos
  jaxgen data --config=F --json

Reports the images trained on and held out, classes, masks, values, what is not
used and why, and what is doubtful, and draws a sheet of tiles as the model sees
them. `--input` needs no config: the source is recognized from the files.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import tempfile
from typing import TYPE_CHECKING

from jaxgen.cli import flags, outputs
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.data.report import DataReport

OUT = pathlib.Path("data_report")  # default folder


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  group = parser.add_mutually_exclusive_group(required=True)
  flags.add_config_flag(group)
  group.add_argument(
    "--input",
    type=pathlib.Path,
    metavar="PATH",
    help="folder of images, or a file of arrays, without a config",
  )
  parser.add_argument(
    "--resolution",
    type=flags.integer(1),
    help="with --input: side of a tile in pixels (default: at most 64)",
  )
  parser.add_argument(
    "--out",
    type=pathlib.Path,
    help="folder of the report (default: data_report, with --json a temporary "
    "folder)",
  )
  parser.add_argument(
    "--json", action="store_true", help="print only the report, as JSON"
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Write the report and print it."""
  from jaxgen.data import summary_text

  if args.config and args.resolution:
    raise UserError(
      f"--resolution={args.resolution}: expected --input; with --config it is "
      "--config.stages.resolution."
    )
  if args.input and rest:
    raise UserError(f"{rest[0]}: expected --config, not --input.")
  out = args.out or _default_folder(args.json)
  outputs.check_folder(out)
  if not args.json:
    print("reading the data ...", flush=True)
  report = _report(args, rest)
  content = report.write(out)
  if args.json:
    print(json.dumps(content))
    return
  print("\n".join(summary_text.full(report.summary)))
  for warning in report.warnings:
    print(f"warning: {warning}")
  print(f"A sheet of tiles is {content['tiles']}.")


def _default_folder(as_json: bool) -> pathlib.Path:
  if as_json:
    return pathlib.Path(tempfile.mkdtemp(prefix="jaxgen_data_"))
  return OUT


def _report(args: argparse.Namespace, rest: list[str]) -> DataReport:
  if args.input:
    from jaxgen.data.guess import guess
    from jaxgen.data.report import make_report

    guessed = guess(args.input, resolution=args.resolution)
    report = make_report(guessed.options, guessed.resolution)
    warnings = (*guessed.notes, *report.warnings)
    return dataclasses.replace(report, warnings=warnings)
  from jaxgen.config.files import load_experiment
  from jaxgen.train.data_report import experiment_report

  return experiment_report(load_experiment(args.config, rest))
