"""Terminal tables of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from jaxgen.evaluation.generation import Evaluation

UNITS = {
  "psnr": "PSNR (dB)",
  "ssim": "SSIM",
  "lpips": "LPIPS",
  "mse": "MSE",
  "high_frequency_error": "fine MSE",
  "l1": "L1",
}
ENLARGED = {
  "psnr": "PSNR (dB)",
  "psnr_y": "luma (dB)",
  "ssim": "SSIM",
  "lpips": "LPIPS",
}
FORMATS = {"psnr": ".2f", "psnr_y": ".2f", "high_frequency_error": ".5f"}


def print_reconstruction(
  scores: Mapping[str, Mapping[str, float]], facts: Mapping[str, Any]
) -> None:
  """Print the mean scores of an autoencoder and its baselines."""
  from rich.console import Console
  from rich.table import Table

  size = " x ".join(map(str, facts["latent_shape"]))
  print(
    f"{facts['images']} images of {facts['source']}; step {facts['step']}, "
    f"latent {size}; PCA with {facts['pca_dimensions']} dimensions, fitted to "
    f"{facts['training_tiles']} training tiles"
  )
  table = Table("")
  columns = [k for k in UNITS if k in scores["autoencoder"]]
  for k in columns:
    table.add_column(UNITS[k], justify="right")
  for name, row in scores.items():
    values = [format(row[k], FORMATS.get(k, ".4f")) for k in columns]
    table.add_row(name, *values)
  Console().print(table)
  for sentence in facts.get("advice", []):
    print(sentence)
  if held_out := facts.get("held_out"):
    print("scores on the validation tiles of training:")
    for name, value in held_out.items():
      print(f"{name:18} {value:.4g}")


def print_upscaling(facts: Mapping[str, Any]) -> None:
  """Print the mean scores of each way to enlarge images, and the gain of PSNR
  on bicubic interpolation with its interval."""
  from rich.console import Console
  from rich.table import Table

  print(
    f"{facts['images']} images ({facts['photographs']} photographs) of"
    f" {facts['source']}; step {facts['step']}, factor {facts['factor']},"
    f" degradation {facts['degradation']}; 95% intervals by photograph"
  )
  rows = facts["intervals"]
  columns = [k for k in ENLARGED if k in rows["model"]]
  table = Table("")
  for title in (*(ENLARGED[k] for k in columns), "gain (dB)"):
    table.add_column(title, justify="right")
  for way, row in rows.items():
    gain = "{:+.2f} ({:+.2f} to {:+.2f})".format(*row["gain"])
    means = (format(row[k][0], FORMATS.get(k, ".4f")) for k in columns)
    table.add_row(way, *means, "" if way == "bicubic" else gain)
  Console().print(table)


def print_generation(evaluation: Evaluation) -> None:
  """Print the measures of generated images and the accuracy of conditions."""
  facts = evaluation.facts
  print(
    f"{facts['images']} images, step {facts['step']}; features: "
    f"{facts['features']}; 95% intervals"
  )
  _print_measures(evaluation)
  if evaluation.condition_accuracy:
    _print_conditions(evaluation)
  if (found := evaluation.mask_agreement) is not None:
    share = found.new / found.held_out
    print(
      f"mean IoU with the masks, by a segmenter of real images: {found.new:.3f}"
      f" ({share:.0%} of the {found.held_out:.3f} of held-out real images)"
    )
  memorized = int(evaluation.nearest.memorized.sum())
  print(
    f"{memorized} of {facts['images']} images are memorized, compared with "
    f"{len(evaluation.training)} training tiles; the nearest are in "
    "nearest.png."
  )


def _print_measures(evaluation: Evaluation) -> None:
  from rich.console import Console
  from rich.table import Table

  from jaxgen.report import comparison

  rows = evaluation.measures
  table = Table("", *rows)
  titles = comparison.titles(evaluation.facts["frechet"], evaluation.measures)
  for measure, title in titles.items():
    cells = [comparison.cell_text(row, measure) for row in rows.values()]
    if any(cells):
      table.add_row(title, *cells)
  Console().print(table)


def _print_conditions(evaluation: Evaluation) -> None:
  from rich.console import Console
  from rich.table import Table

  table = Table("condition", "real images", "samples", "by chance")
  for name, x in evaluation.condition_accuracy.items():
    table.add_row(name, *(f"{v:.1%}" for v in (x.held_out, x.new, x.chance)))
  Console().print(table)
  print("(fractions of images classified as the requested value)")
