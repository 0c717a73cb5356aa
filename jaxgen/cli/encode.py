"""Encode images to latents in an .npz file.

  jaxgen encode --workdir=runs/demo --input=my_tiles --out=latents.npz

The file contains `latents`, the file `names`, and `labels` and `label_names` if
the images are in one subfolder per class.
"""

from __future__ import annotations

import argparse

from jaxgen.cli import flags, inputs
from jaxgen.errors import UserError


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser, out=".npz file to write")
  flags.add_input_flag(parser, required=True)


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Encode and write."""
  import numpy as np

  from jaxgen.data.splits import class_labels
  from jaxgen.formats.npz import write_npz

  model = inputs.open_autoencoder(args, args.out.parent)
  if args.out.is_dir():
    raise UserError(f"--out={args.out}: expected a file, got a folder.")
  names, images = inputs.read_images(model, args.input, upsample=args.upsample)
  arrays = {"latents": model.encode(images, batch=args.batch), "names": names}
  label_names, labels = class_labels(names)
  if label_names:
    arrays |= {"labels": np.asarray(labels), "label_names": label_names}
  write_npz(args.out, **arrays)
  shape = arrays["latents"].shape
  print(f"{shape[0]} latents of shape {shape[1:]} are in {args.out}.")
