"""The measures of a run: names, titles, and direction of improvement."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from jaxgen.workdir.metrics_csv import HELDOUT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric:
  """A measure of quality.

  Attributes:
    title: title of the column.
    form: format specification of the values.
    direction: whether smaller or larger is better.
    error: maps a value to an error that is 0 for a perfect run, so that ratios
      of errors are meaningful.
  """

  title: str
  form: str = ".4g"
  direction: Literal["min", "max"] = "min"
  error: Callable[[float], float] = lambda x: x


METRICS = {
  "mse": Metric(title="MSE", form=".3g"),
  "psnr": Metric(
    title="PSNR, dB",
    form=".2f",
    direction="max",
    error=lambda x: 10 ** (-x / 10),
  ),
  "ssim": Metric(
    title="SSIM", form=".4f", direction="max", error=lambda x: 1 - x
  ),
  "lpips": Metric(title="LPIPS", form=".4f"),
  "high_frequency_error": Metric(title="MSE of fine detail", form=".3g"),
  "probe_loss": Metric(title="loss of the latent probe", form=".4f"),
  "probe_gap": Metric(
    title="Frechet distance of the latent probe, beyond reconstructions",
    form=".3g",
    error=lambda x: max(x, 0.0),
  ),
  "validation/segments/miou": Metric(
    title="segmentation mIoU",
    form=".4f",
    direction="max",
    error=lambda x: 1 - x,
  ),
  "validation/classes/accuracy": Metric(
    title="class accuracy",
    form=".4f",
    direction="max",
    error=lambda x: 1 - x,
  ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Quantity:
  """A measure of something other than quality."""

  title: str
  form: str = ".4g"


QUANTITIES = {
  "high_frequency_share": Quantity(title="share of fine detail in the MSE"),
  "train_images_per_second": Quantity(title="training images/s"),
  "memory_mib": Quantity(title="peak memory, MiB", form=",.0f"),
  "latent_size": Quantity(title="latent size", form=",d"),
  "compression": Quantity(title="compression", form=".1f"),
  "parameters": Quantity(title="parameters", form=",d"),
  "train_images": Quantity(title="training images", form=",d"),
  "train_seconds": Quantity(title="training time, s", form=",.0f"),
  "probe_seconds": Quantity(title="time of the latent probe, s", form=".0f"),
}
Cost = Literal[
  "latent_size", "parameters", "memory_mib", "train_seconds", "mse"
]


def cost_title(cost: Cost) -> str:
  """The title of a cost, which may be an error of another kind."""
  return (METRICS[cost] if cost in METRICS else QUANTITIES[cost]).title


def metric(name: str, direction: str = "") -> Metric:
  """The metric with a name.

  A task's metric that is maximized, with an unknown maximum, has the error
  1 / x.
  """
  if name in METRICS:
    return METRICS[name]
  title = name.removeprefix(HELDOUT)
  if direction == "min":
    return Metric(title=title)
  return Metric(title=title, direction="max", error=lambda x: 1 / max(x, 1e-12))


def column(name: str) -> str:
  """The column of a sweep's metric in a run's `metrics.csv`."""
  return name if name.startswith(HELDOUT) else HELDOUT + name
