"""Draw new images from the latent distribution of the training set.

  jaxgen sample --workdir=runs/demo --num=64 --out=samples --method=gmm

Writes one PNG for each image and grid.png. The same seed gives the same images
at any batch size and number of devices.
"""

from __future__ import annotations

import argparse

from jaxgen.cli import common


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  common.add_run_flags(parser)
  parser.add_argument(
    "--num", type=common.whole(1), default=16, help="how many images"
  )
  parser.add_argument(
    "--seed",
    type=common.whole(0, 2**32 - 1),
    default=0,
    help="of the whole set",
  )
  parser.add_argument(
    "--method",
    default="gaussian",
    choices=("gaussian", "gmm", "interpolate", "perturb"),
    help="one Gaussian or a mixture fitted to training latents; points between "
    "pairs of them; or moved ones",
  )
  parser.add_argument(
    "--target_size",
    type=common.whole(1, 16_384),
    help="resample to so many pixels on a side",
  )
  parser.add_argument(
    "--resample", default="lanczos", choices=("lanczos", "bicubic")
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Sample and write."""
  model = common.open_run(args)
  images = model.sample(
    args.num, seed=args.seed, method=args.method, batch=args.batch
  )
  side = args.target_size or images.shape[1]
  names = [f"{i:05}" for i in range(len(images))]
  finish = lambda image: common.resample(image, side, args.resample)  # noqa: E731
  common.write_images(args.out, names, images, finish)
