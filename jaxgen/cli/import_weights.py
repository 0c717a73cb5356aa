"""Import weights of other programs, such as a model of diffusers.

  jaxgen import --from=hf://OWNER/NAME --subfolder=vae --out=vae
  jaxgen train --config=configs/rocks_ldm.py --config.latent.run=vae ...
  jaxgen import --from=edm-cifar10-32x32-uncond-vp.pkl --out=edm
  jaxgen import --from=weights.npz --config=C.py --out=mine

Without --config the model is one of diffusers, as `save_pretrained` writes it:
an AutoencoderKL, or a UNet2DModel that predicts the noise of DDPM; or an
unconditional `ddpmpp` of EDM in a pickle, no code of which is run. With it
weights have the names of the model's parameters, which `jaxgen plan
--config=C.py --parameters` lists. The folder is a run: all verbs and
`jaxgen.load` take it.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, output_folder
from jaxgen.cli.export import check_new
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from jaxgen.interop.imported import Imported

OF_LIBRARIES = ("subfolder", "resolution", "data")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  parser.add_argument(
    "--from",
    required=True,
    metavar="PATH",
    help="folder or file of weights, or hf://OWNER/NAME",
  )
  parser.add_argument(
    "--out", required=True, type=pathlib.Path, help="new folder"
  )
  flags.add_config_flag(parser)
  group = parser.add_argument_group("without --config")
  group.add_argument(
    "--subfolder", help="the folder of one model of a pipeline, such as vae"
  )
  group.add_argument(
    "--resolution",
    type=flags.integer(1),
    help="side of the images in pixels (default: that of its training, at most"
    " 256)",
  )
  group.add_argument(
    "--data",
    type=pathlib.Path,
    metavar="PATH",
    help="folder of images that it is used with (default: the built-in"
    " textures)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Import, and print what the model is."""
  from jaxgen.interop.imported import summary, write

  check_new(args.out)
  imported = _from_config(args, rest) if args.config else _library(args, rest)
  with output_folder.replacing(args.out, "import") as part:
    write(part, imported)
  print(f"{vars(args)['from']} is in {args.out}: {summary(imported)}")


def _library(args: argparse.Namespace, rest: list[str]) -> Imported:
  from jaxgen.interop import diffusers, edm
  from jaxgen.runs import hub

  if rest:
    raise UserError(f"{rest[0]}: expected with --config only.")
  path = hub.local(vars(args)["from"], args.subfolder or "")
  if path.suffix == edm.SUFFIX:
    if args.resolution:
      raise UserError(f"--resolution: expected none with {path.name}.")
    return edm.read(path, data=args.data)
  return diffusers.read(path, resolution=args.resolution, data=args.data)


def _from_config(args: argparse.Namespace, rest: list[str]) -> Imported:
  from jaxgen.config.files import load_experiment
  from jaxgen.interop import own_names
  from jaxgen.runs import hub

  for name in OF_LIBRARIES:
    if getattr(args, name) is not None:
      raise UserError(f"--{name}={getattr(args, name)}: expected no --config.")
  experiment = load_experiment(args.config, rest)
  return own_names.read(hub.local(vars(args)["from"]), experiment)
