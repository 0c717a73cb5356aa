"""Generate images: from an autoencoder's latents, or by a denoiser.

  jaxgen sample --workdir=runs/demo --num=64 --out=new --method=gmm
  jaxgen sample --workdir=runs/demo --num=64 --out=new --method=diffusion \\
    --prior=runs/ldm
  jaxgen sample --workdir=runs/rocks --num=64 --out=new --sampler=heun-18 \\
    --guidance=2 --rock_type=granite --zoom_level=macro
  jaxgen sample --workdir=runs/rocks --num=16 --out=new --rock_type=marble \\
    --zoom_level=macro --guidance_weights=rock_type=2,zoom_level=1 \\
    --denoising_video

Writes one PNG per image and grid.png. The same seed gives the same images at
any batch size and number of devices (rarely, a value is rounded differently). A
conditional denoiser has one flag per condition (--class for class labels);
conditions without a flag are unspecified.

A hybrid (diffusion.target=residual with hint.kind=reconstruction) draws latents
of its autoencoder by --method (default: gmm), decodes them, and paints what the
decoder lacks; the autoencoder gives the same images without the paint for the
same seed. With --hint=FOLDER it repaints the reconstructions of these images.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jaxgen.cli import flags, hint_flags, inputs, outputs, sampling_flags
from jaxgen.cli.output_folder import replacing
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.sample.autoencoder import AutoencoderRun
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.options import SamplingKeywords
  from jaxgen.sample.painter import PainterRun
  from jaxgen.sample.run import LoadedRun

OF_LATENTS = ("method", "prior")
OF_DENOISERS = (
  *sampling_flags.SAMPLING,
  *hint_flags.HINTS,
  "resolution",
  "denoising_video",
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser)
  flags.add_profile_flag(parser, unit="batches")
  parser.set_defaults(takes_more=True)  # the conditions of the run
  parser.add_argument(
    "--num",
    type=flags.integer(1),
    default=16,
    help="number of images (default: 16)",
  )
  flags.add_seed_flag(parser, help="seed of the whole set (default: 0)")
  parser.add_argument(
    "--resize",
    type=flags.integer(1, 16_384),
    metavar="PIXELS",
    help="resize the images to this side",
  )
  parser.add_argument(
    "--resample",
    default="lanczos",
    choices=("lanczos", "bicubic"),
    help="kernel of the resizing (default: lanczos)",
  )
  parser.add_argument(
    "--upscaler",
    type=pathlib.Path,
    metavar="WORKDIR",
    help="enlarge the images by the run of an upscaler",
  )
  _add_latent_flags(parser.add_argument_group("autoencoders, hybrids"))
  _add_denoiser_flags(parser.add_argument_group("denoisers"))


def _add_latent_flags(group: flags.Group) -> None:
  group.add_argument(
    "--method",
    choices=(
      "gaussian",
      "gmm",
      "interpolate",
      "perturb",
      "prior",
      "diffusion",
    ),
    help="Gaussian (default of autoencoders) or mixture fitted to training "
    "latents; interpolation between pairs of them; perturbation of single "
    "ones; the prior of a VAE; or a denoiser of the latents (--prior)",
  )
  group.add_argument(
    "--prior",
    metavar="WORKDIR",
    help="--method=diffusion: the run of a denoiser of these latents; it takes "
    "the flags and conditions of denoisers",
  )


def _add_denoiser_flags(group: flags.Group) -> None:
  sampling_flags.add_sampling_flags(group)
  hint_flags.add_hint_flags(group)
  flags.add_upsample_flag(group)
  group.add_argument(
    "--resolution",
    type=flags.integer(1),
    help="side of the images in pixels (default: that of the run)",
  )
  group.add_argument(
    "--denoising_video",
    action="store_true",
    help="also write denoising.gif, the images of every step",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Sample and write."""
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.painter import PainterRun

  sampling_flags.check_values(args)
  model = inputs.require_generator(inputs.open_run(args))
  enlarge = _upscaler(model, args)
  with replacing(args.out, "sample") as folder:
    with _profiling(args, folder):
      if isinstance(model, PainterRun):
        images = _paint(model, args, rest, folder=folder)
      elif isinstance(model, DenoiserRun):
        images = _denoise(model, args, rest, folder=folder)
      else:
        images = _decode(model, args, rest)
      images = enlarge(images)
    names = [f"{i:05}" for i in range(len(images))]
    outputs.write_images(
      folder,
      names,
      images,
      resize=args.resize,
      kernel=args.resample,
      channels=model.shown_channels,
    )
  print(f"{len(images)} images and grid.png are in {args.out}.")


def _upscaler(
  model: LoadedRun, args: argparse.Namespace
) -> Callable[[np.ndarray], np.ndarray]:
  """The enlargement by the run of --upscaler; without it, none."""
  if args.upscaler is None:
    return lambda images: images
  sampling_flags.refuse(args, ("resize",), owner="images without --upscaler")
  upscaler = inputs.load_upscaler(args.upscaler, flag="upscaler")
  own, taken = (x.image_shape[2] for x in (model, upscaler))
  if own != taken:
    raise UserError(
      f"--upscaler={args.upscaler}: expected a run of images with {own}"
      f" channels, got {taken}."
    )
  return upscaler.upscale


def _profiling(
  args: argparse.Namespace, folder: pathlib.Path
) -> contextlib.AbstractContextManager[None]:
  """The tracing of batches, in a folder that becomes --out."""
  from jaxgen.parallel import profiling

  return profiling.profiling(
    args.profile,
    folder / profiling.FOLDER,
    unit="batch",
    shown=args.out / profiling.FOLDER,
  )


def _decode(
  model: AutoencoderRun, args: argparse.Namespace, rest: list[str]
) -> np.ndarray:
  if args.method == "diffusion":
    return _decode_diffused(model, args, rest)
  if rest:
    raise UserError(f"{rest[0]}: this run has no conditions.")
  sampling_flags.refuse(args, OF_DENOISERS, owner="denoisers")
  _prior(args)
  method = args.method or "gaussian"
  return model.sample(args.num, seed=args.seed, method=method, batch=args.batch)


def _decode_diffused(
  model: AutoencoderRun, args: argparse.Namespace, rest: list[str]
) -> np.ndarray:
  """Decoded samples of a denoiser of the latents."""
  from jaxgen.sample.denoiser import DenoiserRun

  unused = ("resolution", "denoising_video", *hint_flags.HINTS)
  sampling_flags.refuse(args, unused, owner="runs of denoisers")
  prior = _prior(args)
  options = sampling_flags.sampling_options(args)
  if rest and isinstance(prior, DenoiserRun):
    conditions = sampling_flags.requested_conditions(prior, rest)
    options["conditions"] = conditions
  return model.sample(
    args.num,
    seed=args.seed,
    method="diffusion",
    prior=prior,
    batch=args.batch,
    **options,
  )


def _denoise(
  model: DenoiserRun,
  args: argparse.Namespace,
  rest: list[str],
  *,
  folder: pathlib.Path,
) -> np.ndarray:
  sampling_flags.refuse(args, OF_LATENTS, owner="autoencoders")
  sample = functools.partial(
    model.sample,
    args.num,
    seed=args.seed,
    resolution=args.resolution,
    batch=args.batch,
    **_options(model, args, rest),
  )
  return _with_video(sample, args, folder)


def _paint(
  model: PainterRun,
  args: argparse.Namespace,
  rest: list[str],
  *,
  folder: pathlib.Path,
) -> np.ndarray:
  owner = "denoisers of images"
  sampling_flags.refuse(args, ("resolution",), owner=owner)
  if args.hint is not None:
    owner = "images without --hint"
    sampling_flags.refuse(args, OF_LATENTS, owner=owner)
  sample = functools.partial(
    model.sample,
    args.num,
    seed=args.seed,
    method=args.method or "gmm",
    prior=_prior(args),
    batch=args.batch,
    **_options(model, args, rest),
  )
  return _with_video(sample, args, folder)


def _prior(args: argparse.Namespace) -> LoadedRun | None:
  """The denoiser of latents that --method=diffusion needs, and only that."""
  from jaxgen.sample.load import load

  if args.method != "diffusion":
    sampling_flags.refuse(args, ("prior",), owner="--method=diffusion")
    return None
  if args.prior is None:
    raise UserError("--prior: expected the run of a denoiser of these latents.")
  return load(args.prior)


def _options(
  model: DenoiserRun, args: argparse.Namespace, rest: list[str]
) -> SamplingKeywords:
  from jaxgen.sample.painter import PainterRun

  options = sampling_flags.sampling_options(args)
  options["conditions"] = sampling_flags.requested_conditions(model, rest)
  drawn = isinstance(model, PainterRun)
  hint_flags.add_to(options, model, args, num=args.num, drawn=drawn)
  return options


def _with_video(
  sample: Callable[..., Any], args: argparse.Namespace, folder: pathlib.Path
) -> np.ndarray:
  """The images, with a video of their denoising if requested."""
  if not args.denoising_video:
    return sample()
  images, steps = sample(trajectory=True)
  _write_video(folder / "denoising.gif", steps[:, : outputs.GRID])
  print(f"{len(steps)} steps are in {args.out / 'denoising.gif'}.")
  return images


def _write_video(path: pathlib.Path, steps: np.ndarray) -> None:
  """Write `(steps, n, h, w, c)` as an animation of grids, pausing at the
  end."""
  from PIL import Image

  from jaxgen.errors import writing
  from jaxgen.images import image_grid

  first, *others = [Image.fromarray(image_grid(images)) for images in steps]
  times = [100] * len(others) + [2000]
  with writing(path):
    first.save(
      path, save_all=True, append_images=others, duration=times, loop=0
    )
