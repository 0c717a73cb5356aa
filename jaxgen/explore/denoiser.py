"""A denoiser as a page: conditions, guidance, steps and seed, and parts of
images that are painted over and filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.explore import controls, pictures
from jaxgen.explore.session import Answer, Control, State
from jaxgen.images import as_uint8
from jaxgen.sample.denoiser import DenoiserRun

TRAY, MOST_STEPS, MOST_GUIDANCE = 24, 200, 8.0
ANY = "any"
NUMBERS = ("1", "4", "9", "16")


class DenoiserSession:
  """New images of requested conditions; parts of images filled in."""

  def __init__(self, run: DenoiserRun):
    check_hints(run)
    self._run = run
    channels = run.image_shape[2]
    self._edits = not run.experiment.latent.run and channels in (1, 3)
    try:
      tiles = run.images("validation", TRAY)
    except UserError:  # an exported run, whose data are elsewhere
      tiles = np.zeros((0, *run.image_shape), np.uint8)
    self._tiles = as_uint8(tiles)

  def state(self) -> State:
    """The page before the first action."""
    config = self._run.experiment
    told = ", ".join(self._run.conditions) or "none"
    about = f"step {self._run.step:,}; {config.task}; conditions: {told}."
    if self._edits:
      about += " Choose or drop an image, paint on it, and fill it in."
    return {
      "title": f"Images of {self._run.workdir.name}",
      "about": about,
      "controls": self._controls(),
      "tray": [pictures.small(x) for x in self._tiles] if self._edits else [],
      "slots": [],
      "uploads": self._edits,
      "paints": self._edits,
    }

  def act(self, action: str, given: Mapping[str, Any]) -> Answer:
    """The answer to an action; see `Session`."""
    if action == "tile" and self._edits:
      return self._chosen(self._tiles[tile_index(given, len(self._tiles))])
    if action == "upload" and self._edits:
      side, _, channels = self._run.image_shape
      return self._chosen(pictures.uploaded(given.get("image"), side, channels))
    if action == "fill" and self._edits:
      return self._filled(given)
    if action in ("start", "draw", "change"):
      return self._drawn(given)
    raise UserError(f"{action}: no such action.")

  def _controls(self) -> list[Control]:
    conditions = [
      controls.select(
        f"condition {name}", name, "Conditions", [ANY, *values], value=ANY
      )
      for name, values in self._run.conditions.items()
    ]
    few = self._run.experiment.few_steps
    guidance = controls.slider(
      "guidance",
      "guidance",
      "Conditions",
      value=1.0,
      low=0.0,
      high=MOST_GUIDANCE,
    )
    steps = controls.slider(
      "steps",
      "steps",
      "Sampling",
      value=2 if few else 18,
      low=1,
      high=MOST_STEPS,
      step=1,
    )
    number = controls.select("num", "images", "Sampling", NUMBERS, value="4")
    draw = controls.button("draw", "draw", "Sampling")
    fill = controls.button("fill", "fill in what is painted", "Inpainting")
    return [
      *conditions,
      *([guidance] if conditions and not few else []),
      steps,
      controls.seed("Sampling"),
      number,
      draw,
      *([fill] if self._edits else []),
    ]

  def _options(self, given: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling options of the controls."""
    values = given.get("values") or {}
    asked = {x: values.get(f"condition {x}", ANY) for x in self._run.conditions}
    conditions = {k: v for k, v in asked.items() if v != ANY}
    steps = int(np.clip(controls.number(given, "steps"), 1, MOST_STEPS))
    options: dict[str, Any] = {"steps": steps, "conditions": conditions}
    if conditions and not self._run.experiment.few_steps:
      options["guidance"] = controls.number(given, "guidance")
    return options

  def _drawn(self, given: Mapping[str, Any]) -> Answer:
    num = int(controls.number(given, "num"))
    if str(num) not in NUMBERS:
      raise UserError(f"num: expected one of {', '.join(NUMBERS)}.")
    options = self._options(given)
    seed = int(controls.number(given, "seed"))
    images = self._run.sample(num, seed=seed, batch=num, **options)
    channels = self._run.shown_channels
    grid = _square([pictures.enlarged(x, channels) for x in images])
    calls = self._run.network_calls(**options)
    return {
      "figures": [{"label": "new images", "image": pictures.small(grid)}],
      "notes": [f"{calls} network calls an image"],
      "tile": pictures.small(images[0]) if self._edits else "",
      "code": self._code(num, seed, options),
    }

  def _code(self, num: int, seed: int, options: Mapping[str, Any]) -> str:
    told = ", ".join(f"{k}={v!r}" for k, v in options.items())
    return (
      f'import jaxgen\n\nrun = jaxgen.load("{self._run.workdir}")\n'
      f"jaxgen.show(run.sample({num}, seed={seed}, {told}))"
    )

  def _chosen(self, tile: np.ndarray) -> Answer:
    figure = pictures.figure("paint on it", tile, self._run.shown_channels)
    return {"figures": [figure], "notes": [], "tile": pictures.small(tile)}

  def _filled(self, given: Mapping[str, Any]) -> Answer:
    side, _, channels = self._run.image_shape
    tile = pictures.uploaded(given.get("tile"), side, channels)
    mask = pictures.mask(given.get("mask"), side)
    seed, options = int(controls.number(given, "seed")), self._options(given)
    filled = self._run.inpaint(tile[None], mask, seed=seed, batch=1, **options)
    channels = self._run.shown_channels
    figures = [
      pictures.figure("before", tile, channels),
      pictures.figure("filled in", filled[0], channels),
    ]
    return {"figures": figures, "notes": [], "tile": pictures.small(tile)}


def check_hints(run: DenoiserRun) -> None:
  """Raise a UserError for a run that is told a hint."""
  if run.experiment.hint.kind:
    raise UserError(
      f"--workdir={run.workdir}: expected a run without hints, got"
      f" hint.kind={run.experiment.hint.kind}; sample --hint draws of it."
    )


def tile_index(given: Mapping[str, Any], num: int) -> int:
  """The number of a tile of the tray.

  Raises:
    UserError: there is no such tile.
  """
  index = given.get("index")
  if not isinstance(index, int) or not 0 <= index < num:
    raise UserError(f"index: expected 0 to {num - 1}.")
  return index


def _square(images: list[np.ndarray]) -> np.ndarray:
  """Images side by side, as many in a row as in a column."""
  side = round(len(images) ** 0.5)
  rows = [np.concatenate(images[i * side :][:side], 1) for i in range(side)]
  return np.concatenate(rows, 0)
