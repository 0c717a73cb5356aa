"""The card of an exported model, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from typing import Any

  from jaxgen.sample.run import LoadedRun

CARD = """\
---
library_name: jaxgen
tags:
- jax
- {task}
---

# {name}

{about}
{picture}
```python
import jaxgen

run = jaxgen.load("{name}")
{use}
```

Written by `jaxgen export` (jaxgen {version}). `config.json` is the config of
its training; `--config.train.init_from={name}` starts from its weights.

## Measured

{metrics}
{evaluation}

## Data and license

To be written by who shares it: what it was trained on, what it is for, and
under which license.
"""

USES = {
  "autoencoder": 'images = run.sample(16, seed=0, method="gmm")',
  "upscale": "large = run.upscale(images)",
}


def model_card(
  run: LoadedRun,
  *,
  name: str,
  metrics: Mapping[str, float],
  evaluation: Mapping[str, Any],
  picture: str,
) -> str:
  """The card of an exported run.

  Args:
    run: the run.
    name: name of its folder.
    metrics: held-out metrics of its weights by name; may be empty.
    evaluation: what `jaxgen evaluate` has written of them; may be empty.
    picture: name of a picture of samples in the folder; may be empty.
  """
  from jaxgen import __version__

  task = run.experiment.task
  return CARD.format(
    task=task,
    name=name,
    about=_about(run),
    picture=f"\n![samples]({picture})\n" if picture else "",
    use=USES.get(task, "images = run.sample(16, seed=0)"),
    version=__version__,
    metrics=_table(metrics, "Held-out tiles, at this step of the training"),
    evaluation=_evaluation(evaluation),
  )


def _about(run: LoadedRun) -> str:
  height, width, channels = run.image_shape
  model = run.experiment.model.name
  text = (
    f"A model of the task `{run.experiment.task}` (network `{model}`,"
    f" {run.num_parameters:,} parameters) for images of {height} x {width}"
    f" pixels with {channels} channels; EMA weights after {run.step:,} steps."
  )
  for condition, values in run.names.items():
    text += f" Condition `{condition}`: {', '.join(values)}."
  return text


def _table(metrics: Mapping[str, float], title: str) -> str:
  if not metrics:
    return "Not measured at this step."
  rows = [f"| {name} | {value:.4g} |" for name, value in metrics.items()]
  return "\n".join([f"{title}:", "", "| | |", "|---|---|", *rows])


def _evaluation(content: Mapping[str, Any]) -> str:
  """The measures of an evaluation, which have the names of a way in front if
  it has several."""
  measures = {}
  for name, x in content.get("metrics", {}).items():
    inner = x.items() if isinstance(x, Mapping) else [("", x)]
    for key, value in inner:
      if isinstance(value, int | float):
        measures[f"{name} {key}".strip()] = value
  if not measures:
    return ""
  title = f"`jaxgen evaluate`, {content['images']:,} images"
  return "\n" + _table(measures, title) + "\n"
