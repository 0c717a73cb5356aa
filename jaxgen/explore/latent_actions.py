"""The latents that actions on a page lead to."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.explore import controls, pictures, space
from jaxgen.explore.denoiser import tile_index
from jaxgen.latents.density import Method
from jaxgen.latents.interpolation import lerp
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.latent_sampling import draw_latents

TRAY, LABELED, BATCH = 24, 512, 8  # tiles
FAR = 4.0  # standard deviations of a slider
METHODS: tuple[Method, ...] = ("gmm", "gaussian")


class LatentActions:
  """The latents of a run, flat, and what is done with them.

  Attributes:
    space: the space of those of training tiles.
    tray: held-out tiles to begin from; of an exported run, whose data are
      elsewhere, decoded training latents.
  """

  def __init__(self, run: AutoencoderRun):
    self._run = run
    self.space, self._names = space.fit(run.training_latents), {}
    try:
      self._tiles = run.tiles("validation", LABELED)
      source = run.source("validation")
      self._names = {"label": source.label_names, **source.attribute_names}
    except UserError:
      self._tiles = {"image": self.decode(self.space.bank[:TRAY])}
    self._known = self.encode(self._tiles["image"])
    self.tray = self._tiles["image"][:TRAY]

  @functools.cached_property
  def attributes(self) -> dict[str, np.ndarray]:
    """Directions of attributes of held-out tiles, by `attribute: value`."""
    found = {}
    for name in self._names.keys() & self._tiles.keys():
      values = self._names[name]
      each = space.directions(self._known, self._tiles[name], values)
      found |= {f"{name}: {value}": x for value, x in each.items()}
    return found

  def after(self, action: str, given: Mapping[str, Any]) -> np.ndarray:
    """The latent after an action; see `Session`."""
    if action in ("start", "tile", "upload"):
      return self._of_image(action, given)
    if action == "reset":
      return self.space.mean
    for method in METHODS:
      if action == method:
        return self._drawn(method, int(controls.number(given, "seed")))
    if action == "mix":
      a, b = self._slots(given, "AB")
      return np.asarray(lerp(a, b, controls.number(given, "t")))
    if action == "arithmetic":
      a, b, c = self._slots(given, "ABC")
      return a - b + c
    if action not in ("change", "go"):
      raise UserError(f"{action}: no such action.")
    return self._moved(action, self._given(given.get("latent")), given)

  def _of_image(self, action: str, given: Mapping[str, Any]) -> np.ndarray:
    """The latent of a tile of the tray, or of an uploaded image."""
    if action == "upload":
      side, _, channels = self._run.image_shape
      tile = pictures.uploaded(given.get("image"), side, channels)
      return self.encode(tile[None])[0]
    num = len(self.tray)
    return self._known[0 if action == "start" else tile_index(given, num)]

  def _moved(
    self, action: str, latent: np.ndarray, given: Mapping[str, Any]
  ) -> np.ndarray:
    """A latent moved to the sliders, or towards an attribute."""
    if action == "change":
      names = [f"pc{i}" for i in range(len(self.space.shares))]
      asked = np.array([controls.number(given, x) for x in names])
      return self.space.moved(latent, np.clip(asked, -FAR, FAR))
    toward = self.attributes.get(given["values"].get("attribute"))
    if toward is None:
      raise UserError("attribute: expected one of the list.")
    return latent + controls.number(given, "amount") * toward

  def _slots(self, given: Mapping[str, Any], names: str) -> list[np.ndarray]:
    slots = given.get("slots") or {}
    missing = [x for x in names if not slots.get(x)]
    if missing:
      raise UserError(f"{', '.join(missing)}: keep a latent there first.")
    return [self._given(slots[x]) for x in names]

  def _given(self, values: Any) -> np.ndarray:
    """A latent as the page sends it."""
    size = self.space.bank.shape[1]
    try:
      latent = np.asarray(values, np.float64)
    except (TypeError, ValueError):
      latent = np.zeros(0)
    if latent.shape != (size,) or not np.isfinite(latent).all():
      raise UserError(f"latent: expected {size} numbers.")
    return latent

  def _drawn(self, method: Method, seed: int) -> np.ndarray:
    latents = draw_latents(self._run, 1, seed=seed, method=method, batch=1)
    return latents.reshape(-1).astype(np.float64)

  def shaped(self, latents: np.ndarray) -> np.ndarray:
    """Flat latents as the autoencoder takes them."""
    shape = self._run.task.latent_shape
    return latents.astype(np.float32).reshape(-1, *shape)

  def decode(self, latents: np.ndarray) -> np.ndarray:
    """Flat latents to images."""
    return self._run.decode(self.shaped(latents), batch=BATCH)

  def encode(self, images: np.ndarray) -> np.ndarray:
    """Images to flat latents, float64."""
    latents = self._run.encode(images)
    return latents.reshape(len(latents), -1).astype(np.float64)
