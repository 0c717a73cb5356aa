"""The flags of `calibrate` for the resolutions of a run, and their table."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, sensor_flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.workdir.resolutions_file import Resolutions

OWN = (
  *("checkpoint", "data", "resolutions", "num", "batch", "seed"),
  *sensor_flags.SENSOR,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of a run."""
  group = parser.add_argument_group("resolutions of a run")
  group.add_argument("--workdir", type=pathlib.Path, help="the run's folder")
  group.add_argument(
    "--checkpoint", help="best (the default), latest, a step, or ema-SIGMA_REL"
  )
  group.add_argument(
    "--data",
    metavar="PATH",
    help="where the run's data are now, if they have moved (data.path)",
  )
  group.add_argument(
    "--resolutions",
    type=flags.values(flags.integer(1)),
    metavar="16,32,...",
    help="sides of restored tiles, which divide the largest (default: that of"
    " the run, half and a quarter of it)",
  )
  sensor_flags.add_sensor_flags(group)
  group.add_argument(
    "--num",
    type=flags.integer(1),
    help="maximum number of held-out tiles (default: 256)",
  )
  group.add_argument(
    "--batch", type=flags.integer(1), help="tiles per batch (default: 32)"
  )
  flags.add_seed_flag(
    group, help="seed of the noise (default: 0)", default=None
  )


def run(args: argparse.Namespace) -> None:
  """Measure the resolutions of a run, write and print them."""
  from jaxgen.evaluation import resolutions
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.load import load
  from jaxgen.workdir import resolutions_file

  model = load(args.workdir, args.checkpoint or "best")
  if not isinstance(model, DenoiserRun):
    raise UserError(
      f"--workdir={args.workdir}: expected a run of a denoiser, got"
      f" task={model.experiment.task}."
    )
  model = model if args.data is None else model.with_data(args.data)
  given = {k: getattr(args, k) for k in ("num", "batch", "seed")}
  found = resolutions.measure(
    model,
    args.resolutions or resolutions.default_resolutions(model),
    sensors=sensor_flags.sensors(args),
    **{k: v for k, v in given.items() if v is not None},
  )
  content = resolutions_file.write(args.workdir, found)
  if args.json:
    print(json.dumps(content))
    return
  _print(found)
  print(f"Written to {args.workdir / resolutions_file.NAME}.")


def _print(found: Resolutions) -> None:
  from rich.console import Console
  from rich.table import Table

  from jaxgen.restoration.resolutions import interpolate

  table = found.table
  print(
    f"{found.tiles} held-out tiles of {table.full} pixels, step {found.step},"
    f" {found.calls} network calls each; read noise {table.read_noise:g},"
    f" background {table.background:g} electrons; {found.devices}"
  )
  shown = Table("photons")
  for side in reversed(table.resolutions):
    shown.add_column(f"{side} px: PSNR (SSIM)", justify="right")
  for photons in table.photons:
    rows = [
      interpolate(table.of(x), photons) for x in reversed(table.resolutions)
    ]
    shown.add_row(f"{photons:g}", *[_quality(x) for x in rows])
  costs = [table.of(x)[0] for x in reversed(table.resolutions)]
  shown.add_section()
  shown.add_row("ms per tile", *[f"{1e3 * x.seconds:.3g}" for x in costs])
  shown.add_row("MiB per tile", *[f"{x.bytes / 2**20:.3g}" for x in costs])
  Console().print(shown)


def _quality(row) -> str:
  ssim = "" if row.ssim is None else f" ({row.ssim:.3f})"
  return f"{row.psnr:.2f} dB{ssim}"
