"""What a run prints at its start: model, device and speed."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax

from jaxgen import trees
from jaxgen.formats.atomic import replacing
from jaxgen.parallel import device
from jaxgen.parallel.multihost import is_lead_host
from jaxgen.train.stage import StageProgram
from jaxgen.typing import Metrics
from jaxgen.workdir.duration import duration

if TYPE_CHECKING:
  from jaxgen.train.run import Run

PARAMETERS = "parameters.txt"
TIMED = 6  # steps after the first one that are timed
WORTHWHILE = 10  # seconds of training for which an estimate is printed


def say(text: str) -> None:
  """Print a line on the lead host; "building ..." before what takes long."""
  if is_lead_host():
    print(text, flush=True)


def describe(programs: Sequence[StageProgram]) -> None:
  """Print the size of the model, the device, and the length of the run."""
  say("building the model ...")
  first, experiment = programs[0], programs[0].experiment
  leaves = jax.tree.leaves(first.state_shapes)
  mib = sum(x.size * x.dtype.itemsize for x in leaves) / 2**20
  parameters = sum(x.size for x in jax.tree.leaves(first.state_shapes.params))
  say(
    f"{experiment.task}: {parameters:,} parameters, {mib:,.3g} MiB with the"
    f" optimizer and averages, on {device.label()}; {_length(programs)}"
  )


def write_parameters(
  programs: Sequence[StageProgram], workdir: pathlib.Path
) -> None:
  """Write the parameters of each stage by layer to `parameters.txt`."""
  tables = [
    f"stage {x.index + 1}, {x.stage.resolution} pixels\n"
    f"{trees.overview(x.state_shapes.params)}\n"
    for x in programs
  ]
  with replacing(workdir / PARAMETERS) as file:
    file.write("\n".join(tables).encode())


def _length(programs: Sequence[StageProgram]) -> str:
  """The images and stages of a run."""
  images, batch = programs[0].experiment.ends[-1], programs[0].stage.batch_size
  if len(programs) > 1:
    sides = ", ".join(str(program.stage.resolution) for program in programs)
    return f"{images:,} images in {len(programs)} stages at {sides} pixels"
  return f"{images:,} images in batches of {batch}"


def announce_speed(run: Run, images: int, metrics: Metrics) -> None:
  """Print the speed of the first steps and the time that the stage will take;
  waits for the current step."""
  jax.block_until_ready(metrics)
  speed = run.terminal.speed(images)
  left = run.ends[run.stage] - images
  if speed and left / speed > WORTHWHILE:
    several = " of this stage" if len(run.programs) > 1 else ""
    run.terminal.say(
      f"{speed:,.4g} images/s in the first steps: about"
      f" {duration(left / speed)} for the other {left:,} images{several},"
      " without evaluations and previews"
    )
