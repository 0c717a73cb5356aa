"""Draw new images: from an autoencoder's latents, or by a denoiser.

  jaxgen sample --workdir=runs/demo --num=64 --out=new --method=gmm
  jaxgen sample --workdir=runs/rocks --num=64 --out=new --sampler=heun-18 \\
    --guidance=2 --rock_type=granite --zoom_level=macro
  jaxgen sample --workdir=runs/rocks --num=16 --out=new --rock_type=marble \\
    --zoom_level=macro --weights=rock_type=2,zoom_level=1 --denoising_video

Writes one PNG for each image and grid.png. The same seed gives the same images
at any batch size and number of devices (but for rounding: a level, rarely). A
conditional denoiser takes one flag for each of its conditions (--class for
class labels); what is not named is free.
"""

from __future__ import annotations

import argparse
import difflib
import pathlib
from typing import TYPE_CHECKING, Any

from jaxgen.cli import common
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

OF_LATENTS = ("method",)
OF_REQUESTS = (
  "sampler",
  "steps",
  "guidance",
  "weights",
  "interval",
  "weak",
  "eta",
  "churn",
)
OF_DENOISERS = (*OF_REQUESTS, "resolution", "denoising_video")


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Flags of this verb."""
  common.add_run_flags(parser)
  parser.set_defaults(takes_more=True)  # the conditions of the run
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
    "--target_size",
    type=common.whole(1, 16_384),
    help="resample to so many pixels on a side",
  )
  parser.add_argument(
    "--resample", default="lanczos", choices=("lanczos", "bicubic")
  )
  latents = parser.add_argument_group("autoencoders")
  latents.add_argument(
    "--method",
    choices=("gaussian", "gmm", "interpolate", "perturb", "prior"),
    help="one Gaussian (the default) or a mixture fitted to training latents; "
    "points between pairs of them; moved ones; or a VAE's own prior",
  )
  group = parser.add_argument_group("denoisers")
  add_sampler_flags(group)
  group.add_argument(
    "--resolution", type=common.whole(1), help="of the images, in pixels"
  )
  group.add_argument(
    "--denoising_video",
    action="store_true",
    help="also write denoising.gif, the images of every step",
  )


def add_sampler_flags(group: Any) -> None:
  """What every use of a denoiser takes."""
  group.add_argument(
    "--sampler",
    help="heun-18 (the default), ddpm-1000, ddim-50, ddim-25; or euler, heun, "
    "edm_stochastic, dpmpp_2m, dpmpp_sde, ddim, ddpm with --steps",
  )
  group.add_argument(
    "--steps", type=common.whole(1), help="instead of the sampler's own"
  )
  group.add_argument(
    "--guidance", type=float, help="w of D_0 + w (D_c - D_0); 1: none"
  )
  group.add_argument(
    "--weights",
    metavar="NAME=W,...",
    help="instead of it one weight for each condition",
  )
  group.add_argument(
    "--interval", metavar="LOW,HIGH", help="guide at these sigmas only"
  )
  group.add_argument("--eta", type=float, help="noise of ddim, 0 to 1")
  group.add_argument("--churn", type=float, help="noise of edm_stochastic")
  group.add_argument(
    "--weak",
    help="guide away from a worse denoiser: a workdir, or a checkpoint of this "
    "run (ema-0.05@STEP)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Sample and write."""
  model = common.open_run(args)
  draw = _denoise if model.task.denoiser else _decode
  images = draw(model, args, rest)
  names = [f"{i:05}" for i in range(len(images))]
  size = args.target_size, args.resample
  common.write_images(args.out, names, images, *size)


def refuse(args: argparse.Namespace, names: tuple[str, ...], kind: str) -> None:
  """Raise a UserError where a flag for another kind of run was given."""
  for name in names:
    if getattr(args, name, None) not in (None, False):
      raise UserError(f"--{name} is for {kind}.")


def _decode(model: Any, args: argparse.Namespace, rest: list[str]):
  if rest:
    raise UserError(f"{rest[0]}: this run has no conditions.")
  refuse(args, OF_DENOISERS, "denoisers")
  method = args.method or "gaussian"
  return model.sample(args.num, seed=args.seed, method=method, batch=args.batch)


def _denoise(model: Any, args: argparse.Namespace, rest: list[str]):
  refuse(args, OF_LATENTS, "autoencoders")
  found = model.sample(
    args.num,
    seed=args.seed,
    batch=args.batch,
    resolution=args.resolution,
    trajectory=args.denoising_video,
    **asked(model, args, rest),
  )
  if not args.denoising_video:
    return found
  images, seen = found
  _write_video(args.out / "denoising.gif", seen[:, : common.GRID])
  return images


def asked(
  model: Any, args: argparse.Namespace, rest: list[str]
) -> dict[str, Any]:
  """What the flags ask of a sampler: keywords of `request.resolve`."""
  plain = ("sampler", "steps", "guidance", "eta", "churn")
  given = {k: getattr(args, k) for k in plain}
  found = {k: v for k, v in given.items() if v is not None}
  if args.interval is not None:
    found["interval"] = _interval(args.interval)
  if args.weak is not None:
    found["weak"] = _weak(args)
  found["weights"] = _weights(args.weights)
  return found | {"conditions": _conditions(model, rest)}


def _weak(args: argparse.Namespace) -> Any:
  from jaxgen.sample.load import load

  if pathlib.Path(args.weak).is_dir():
    return load(args.weak)
  return load(args.workdir, args.weak)


def _conditions(model: Any, rest: list[str]) -> dict[str, str]:
  """`--rock_type=granite` and the like, for the conditions of the run."""
  from jaxgen.sample.options import position

  known = {("class" if k == "label" else k): k for k in model.conditions}
  found = {}
  for argument in rest:
    name, equals, value = argument.removeprefix("--").partition("=")
    if name not in known or not equals or not argument.startswith("--"):
      flags = ", ".join(f"--{x}=..." for x in known) or "none"
      near = difflib.get_close_matches(name, known, n=1)
      hint = f" Did you mean --{near[0]}=...?" if near else ""
      hint = f" Write --{name}=VALUE." if name in known else hint
      raise UserError(f"{argument}: the conditions here are {flags}.{hint}")
    position(model.conditions[known[name]], value, f"--{name}")
    found[known[name]] = value
  return found


def _weights(text: str | None) -> dict[str, float]:
  """`rock_type=2,zoom_level=1`."""
  found = {}
  for part in text.split(",") if text else ():
    name, _, number = part.partition("=")
    name = "label" if name == "class" else name
    found[name] = _number("--weights", text, number)
  return found


def _interval(text: str) -> tuple[float, float]:
  low, _, high = text.partition(",")
  found = tuple(_number("--interval", text, x) for x in (low, high))
  if not found[0] < found[1]:
    raise UserError(f"--interval={text}: LOW,HIGH of sigma, LOW first.")
  return found[0], found[1]


def _number(flag: str, text: str | None, number: str) -> float:
  try:
    return float(number)
  except ValueError as e:
    raise UserError(f"{flag}={text}: {number!r} is no number.") from e


def _write_video(path: pathlib.Path, seen: np.ndarray) -> None:
  """`(steps, n, h, w, c)` as an animation of grids; the end stays longer."""
  from PIL import Image

  from jaxgen.errors import writing
  from jaxgen.images import image_grid

  pictures = [Image.fromarray(image_grid(frame)) for frame in seen]
  times = [100] * (len(pictures) - 1) + [2000]
  with writing(path):
    pictures[0].save(
      path,
      save_all=True,
      append_images=pictures[1:],
      duration=times,
      loop=0,
    )
  print(f"{len(pictures)} steps are in {path}.")
