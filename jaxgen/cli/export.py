"""Export a run to a folder that can be shared.

  jaxgen export --workdir=runs/rocks --out=rocks
  jaxgen sample --workdir=rocks --num=36 --out=new

The folder has the weights of one checkpoint (EMA) as safetensors, the config,
the runs that it leans on, a model card (README.md) with some samples and the
held-out metrics; if `jaxgen evaluate` has measured these weights, what it found
is in metrics.json and on the card. All verbs and `jaxgen.load` take it as a
run; with --config.train.init_from=FOLDER training starts from it.
"""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

from jaxgen.cli import flags, output_folder
from jaxgen.errors import UserError

if TYPE_CHECKING:
  from collections.abc import Mapping
  from typing import Any

  from jaxgen.sample.run import LoadedRun

CARD, SAMPLES, METRICS = "README.md", "samples.png", "metrics.json"


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  flags.add_run_flags(parser, out="new folder", batch=False)
  parser.add_argument(
    "--num",
    type=flags.integer(0),
    default=16,
    help="number of samples in the picture (default: 16)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """Export, and draw samples for the card."""
  from jaxgen.formats.atomic import write_json
  from jaxgen.report.model_card import model_card
  from jaxgen.sample.export import export
  from jaxgen.sample.load import load

  check_new(args.out)
  model = load(args.workdir, args.checkpoint)
  with output_folder.replacing(args.out, "export") as part:
    export(model, part)
    evaluation = _evaluation(model.workdir, model.step)
    if evaluation:
      write_json(part / METRICS, evaluation)
    shown = bool(args.num) and _draw_samples(model, args.num, part / SAMPLES)
    card = model_card(
      model,
      name=args.out.resolve().name,
      metrics=_metrics(model.workdir, model.step),
      evaluation=evaluation,
      picture=SAMPLES if shown else "",
    )
    (part / CARD).write_text(card)
  size = sum(x.stat().st_size for x in args.out.rglob("*") if x.is_file())
  print(
    f"step {model.step} of {args.workdir} is in {args.out},"
    f" {size / 2**20:.3g} MiB."
  )


def check_new(out: pathlib.Path) -> None:
  """Raise a UserError if the output folder is a run, or has other files."""
  if out.exists() and (not out.is_dir() or any(out.iterdir())):
    raise UserError(f"--out={out}: expected a new or an empty folder.")


def _metrics(workdir: pathlib.Path, step: int) -> dict[str, float]:
  """The held-out metrics of a step by name; none if it was not evaluated."""
  from jaxgen.workdir import metrics_csv

  found = metrics_csv.at_step(metrics_csv.read(workdir), step)
  return {
    name.removeprefix(metrics_csv.HELDOUT): value
    for name, value in found.items()
    if name.startswith(metrics_csv.HELDOUT)
  }


def _evaluation(workdir: pathlib.Path, step: int) -> Mapping[str, Any]:
  """What `jaxgen evaluate` has written of a step; empty if it has not."""
  from jaxgen.formats.json_file import read_json

  found = read_json(workdir / "evaluation" / METRICS)
  return found if found.get("step") == step else {}


def _draw_samples(model: Any, num: int, path: pathlib.Path) -> bool:
  """Draw a picture of samples, if the run needs no image for them; whether it
  does not."""
  from jaxgen.formats.png import write_png
  from jaxgen.images import image_grid

  if _needs_image(model):
    return False
  write_png(path, image_grid(model.sample(num, seed=0)))
  return True


def _needs_image(model: LoadedRun) -> bool:
  """Whether a run draws of images only."""
  from jaxgen.sample.hints import needs_hint
  from jaxgen.sample.painter import PainterRun
  from jaxgen.sample.upscaler import UpscalerRun

  draws_hints = isinstance(model, PainterRun)
  return isinstance(model, UpscalerRun) or (
    not draws_hints and needs_hint(model)
  )
