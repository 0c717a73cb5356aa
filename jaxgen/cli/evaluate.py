"""Measure a run: reconstructions of an autoencoder, samples of a denoiser, and
images enlarged by an upscaler.

  jaxgen evaluate --workdir=runs/demo
  jaxgen evaluate --workdir=runs/demo --input=my_tiles --out=results
  jaxgen evaluate --workdir=runs/rocks_edm --num=1024 --guidance=1.5
  jaxgen evaluate --workdir=runs/cells --restore --photons=5,20 --samples=8
  jaxgen evaluate --workdir=runs/x2 --input=my_photos --out=results

Autoencoders: PSNR, SSIM, LPIPS (with the extra `perceptual`) and squared error
of held-out images, in total and in fine detail (waves shorter than four
pixels), also for PCA and the mean image; mean intersection over union and
accuracy of heads; divergence and active units of a VAE. PCA has as many
dimensions as the latent and is fitted to training tiles.

Denoisers: Frechet distance and KID of generated images to real ones, with
bootstrap intervals, also for a second set of real tiles (the floor); precision,
recall, density, coverage; memorized training tiles, in all orientations used in
training (shifted or recolored ones are not detected); and the accuracy of
requested conditions by a classifier. Prints the number of network calls first.

Upscalers: PSNR of RGB and of luma, SSIM and LPIPS of held-out tiles, or of the
whole images of --input, which are reduced as in training and enlarged again;
beside bicubic and Lanczos interpolation, iterative back-projection, and the
result projected onto the input (`jaxgen upscale --consistent`). A border as
wide as the factor does not count; intervals are by photograph.

With --restore, held-out tiles are measured by simulated sensors (--photons) and
restored by the denoiser: by one call, and by --samples=K with the coverage of
their intervals; beside DPS, DiffPIR and restoration without noise maps by the
same denoiser, Anscombe's transform with BM3D (with the extra `benchmark`),
non-local means and total variation; with the calibration of the denoiser by
noise level. Writes restoration.json and restoration.html.

With --input, an autoencoder's images larger than a tile are measured window by
window, at the scale of the run's training crops (--tiled), or the center square
of each is resized to one tile (--fit). With --data=PATH the data of the run are
read from another place than in training.

Otherwise writes metrics.json and per_image.csv.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import (
  evaluate_restoration,
  evaluate_upscaling,
  flags,
  inputs,
  outputs,
  sampling_flags,
)
from jaxgen.cli import evaluation_tables as tables
from jaxgen.cli.output_folder import replacing
from jaxgen.errors import UserError

if TYPE_CHECKING:
  import numpy as np

  from jaxgen.sample.autoencoder import AutoencoderRun
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.run import LoadedRun

FILES = {
  False: "metrics.json and per_image.csv",
  True: "restoration.json and restoration.html",
}


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser, out=None)
  flags.add_input_flag(parser)
  parser.add_argument(
    "--data",
    metavar="PATH",
    help="where the run's data are now, if they have moved (data.path)",
  )
  parser.add_argument(
    "--out",
    type=pathlib.Path,
    help="output folder (default: WORKDIR/evaluation)",
  )
  parser.add_argument(
    "--num",
    type=flags.integer(1),
    default=1024,
    help="maximum number of images (default: 1024)",
  )
  group = parser.add_argument_group("denoisers")
  group.add_argument(
    "--budget",
    type=flags.integer(1),
    default=40_000,
    help="maximum network calls, images times calls (default: 40000)",
  )
  flags.add_features_flags(group)
  flags.add_seed_flag(group, help="seed of the images (default: 0)")
  sampling_flags.add_sampling_flags(group)
  evaluate_restoration.add_restoration_flags(
    parser.add_argument_group("denoisers as priors of restoration")
  )


def _folder(workdir: str | pathlib.Path) -> pathlib.Path:
  """The run's folder, where results go without --out."""
  if isinstance(workdir, str):
    raise UserError(f"--workdir={workdir}: --out is needed with a store.")
  return workdir


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Evaluate, print and write."""
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.upscaler import UpscalerRun

  if not args.restore:
    sampling_flags.refuse(args, evaluate_restoration.FLAGS, owner="--restore")
  sampling_flags.check_values(args)
  out = args.out or _folder(args.workdir) / "evaluation"
  model = inputs.open_run(args, out)
  if args.data is not None:
    model = model.with_data(args.data)
  _check_data(model)
  files = FILES[args.restore]
  with replacing(out, "evaluate") as folder:
    if args.restore:
      _restoration(model, args, folder)
    elif isinstance(model, DenoiserRun):
      _generation(model, args, folder)
    else:
      sampling_flags.refuse(args, sampling_flags.SAMPLING, owner="denoisers")
      if isinstance(model, UpscalerRun):
        files = evaluate_upscaling.FILES
        evaluate_upscaling.evaluate(model, args, folder)
      else:
        _reconstruction(model, args, folder)
  print(f"{files} are in {out}.")


def _restoration(
  model: LoadedRun, args: argparse.Namespace, out: pathlib.Path
) -> None:
  from jaxgen.sample.denoiser import DenoiserRun

  if not isinstance(model, DenoiserRun):
    raise UserError("--restore is for denoisers.")
  if args.input:
    raise UserError("--input is not for --restore, which needs clean images.")
  sampling_flags.refuse(args, sampling_flags.SAMPLING, owner="generation")
  evaluate_restoration.evaluate(model, args, out)


def _check_data(model: LoadedRun) -> None:
  """Raise a UserError unless the data of a run are where they are expected."""
  try:
    model.source("train")
  except UserError as e:
    raise UserError(
      f"{str(e).rstrip('.')}. If the run's data have moved, --data=PATH says"
      " where they are."
    ) from e


def _generation(
  model: DenoiserRun, args: argparse.Namespace, out: pathlib.Path
) -> None:
  from jaxgen import pictures
  from jaxgen.evaluation import generation
  from jaxgen.formats.png import write_png
  from jaxgen.images import visible
  from jaxgen.metrics.features import features

  if args.input:
    raise UserError("--input is for autoencoders.")
  if model.experiment.diffusion.noise_map:
    print("The run takes noise maps: --restore measures its restoration.")
  network = features(args.features, args.inception_weights)
  options = sampling_flags.sampling_options(args)
  num, calls = generation.affordable(model, args.num, args.budget, **options)
  print(
    f"{num:,} images x {calls} network calls = {num * calls:,} (at most "
    f"{args.budget:,}; --budget)",
    flush=True,
  )
  evaluation = generation.evaluate(
    model,
    num,
    network=network,
    seed=args.seed,
    batch=args.batch,
    **options,
  )
  generation.write_generation(out, evaluation, model.conditions)
  pairs = {
    label: visible(images, model.shown_channels)
    for label, images in generation.nearest_pairs(evaluation).items()
  }
  write_png(out / "nearest.png", pictures.labeled_rows(pairs))
  names = [f"{i:05}" for i in range(num)]
  outputs.write_images(
    out / "samples",
    names,
    evaluation.images,
    channels=model.shown_channels,
  )
  tables.print_generation(evaluation)


def _reconstruction(
  model: AutoencoderRun, args: argparse.Namespace, out: pathlib.Path
) -> None:
  from jaxgen.evaluation import reconstruction

  places = {}
  if args.input:
    names, images, places = _input_windows(model, args)
  else:
    images = model.images("validation", args.num)
    names = [f"validation_{i:05}" for i in range(len(images))]
  scores, facts = reconstruction.evaluate(model, images, batch=args.batch)
  facts["source"] = args.input or "the validation split"
  held_out = {} if args.input else _task_scores(model)
  facts |= {"held_out": held_out} if held_out else {}
  facts["advice"] = reconstruction.advice(scores, model.experiment)
  reconstruction.write_reconstruction(
    out, names, scores=scores, facts=facts, columns=places
  )
  tables.print_reconstruction(reconstruction.means(scores), facts)


def _input_windows(
  model: AutoencoderRun, args: argparse.Namespace
) -> tuple[list[str], np.ndarray, dict[str, list[int]]]:
  """At most --num tiles of the input images, evenly spaced: the name of each
  one's image, the tiles, and their places in the scaled images."""
  import numpy as np

  tiles = inputs.read_tiles(model, args, overlap=0)
  total = sum(len(x.grid) for x in tiles)
  spaced = np.linspace(0, total - 1, min(args.num, total)).round()
  chosen = {*spaced.astype(int).tolist()}
  if len(chosen) < total:
    print(f"{len(chosen):,} of them are measured, evenly spaced (--num)")
  names, places, images, first = [], [], [], 0
  for x in tiles:
    mine = [i for i in range(len(x.grid)) if first + i in chosen]
    first += len(x.grid)
    windows = list(x.windows()) if mine else []
    names += [x.image.name] * len(mine)
    places += [x.grid.places[i] for i in mine]
    images += [windows[i].copy() for i in mine]
  tops, lefts = (list(axis) for axis in zip(*places, strict=True))
  return names, np.stack(images), {"top": tops, "left": lefts}


def _task_scores(model: AutoencoderRun) -> dict[str, float]:
  """The held-out scores of heads and posteriors."""
  from jaxgen.train.programs import stage_programs

  programs = stage_programs(model.experiment, names=model.names)
  scores = programs[model.stage].evaluator(model.params)
  return {name: value for name, value in scores.items() if "/" in name}
