"""Explore a run in the browser.

  jaxgen explore --workdir=runs/demo
  jaxgen explore --workdir=runs/demo --out=demo.html

Of an autoencoder: sliders along the principal components of its latents,
mixtures and differences of images, attributes, the nearest training tiles; of a
hybrid also what it paints. Of a denoiser: conditions, guidance, steps, and
parts of images that are painted over and filled in; of one with noise maps,
restorations of tiles as a camera sees them. Images of your own can be dropped
on the page.

The page is for this machine only, at an address that is printed; with
`ssh -L 8765:localhost:8765 HOST` also for the one in front of you. With --out a
page is written instead that shows an autoencoder's latents without jaxgen.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.explore.session import Session
  from jaxgen.sample.run import LoadedRun


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser, out=None, batch=False)
  parser.add_argument(
    "--port",
    type=flags.integer(0, 65_535),
    default=8765,
    help="port of the page; 0: one that is free (default: 8765)",
  )
  parser.add_argument(
    "--out",
    type=pathlib.Path,
    metavar="FILE.html",
    help="write a page that needs no server",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Serve or write the page."""
  from jaxgen.sample.load import load

  if args.out and not args.out.parent.is_dir():
    raise UserError(f"--out={args.out}: no folder {args.out.parent}.")
  model = load(args.workdir, args.checkpoint)
  if args.out:
    _write(model, args)
    return
  from jaxgen.explore.server import Server

  server = Server(_session(model), port=args.port)
  print(f"Open {server.address} in a browser; Ctrl-C ends it.", flush=True)
  try:
    server.run()
  except KeyboardInterrupt:
    print()


def _session(model: LoadedRun) -> Session:
  """The page of a kind of run, with its programs compiled."""
  from jaxgen.explore.autoencoder import AutoencoderSession
  from jaxgen.explore.denoiser import DenoiserSession
  from jaxgen.explore.restoration import RestorationSession
  from jaxgen.sample.autoencoder import AutoencoderRun
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.painter import PainterRun

  if isinstance(model, AutoencoderRun | PainterRun):
    return AutoencoderSession(model)
  if not isinstance(model, DenoiserRun):
    raise UserError(
      f"--workdir={model.workdir}: expected an autoencoder or a denoiser, got"
      f" task={model.experiment.task}."
    )
  if model.experiment.diffusion.noise_map:
    return RestorationSession(model)
  return DenoiserSession(model)


def _write(model: LoadedRun, args: argparse.Namespace) -> None:
  from jaxgen.cli import inputs
  from jaxgen.explore.snapshot import write_snapshot
  from jaxgen.report.origin import origin
  from jaxgen.sample.autoencoder import AutoencoderRun

  run = inputs.require_kind(model, AutoencoderRun, "an autoencoder")
  write_snapshot(args.out, run, facts=origin(args.command, [run]))
  print(f"{args.out} shows the latents of {args.workdir}.")
