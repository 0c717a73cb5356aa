"""The latent space of an autoencoder as a page; of a hybrid with its paint."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.errors import UserError
from jaxgen.explore import session, space
from jaxgen.explore.denoiser import tile_index
from jaxgen.explore.session import Answer, Control, Figure, State
from jaxgen.latents.density import Method
from jaxgen.latents.interpolation import lerp
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.latent_sampling import draw_latents
from jaxgen.sample.painter import PainterRun

TRAY, LABELED, NEAREST = 24, 512, 6  # tiles
SLOTS = ["A", "B", "C"]
FAR = 4.0  # standard deviations of a slider
UNUSUAL = 0.01
METHODS: tuple[Method, ...] = ("gmm", "gaussian")


class AutoencoderSession:
  """Sliders along principal components, mixtures, arithmetic, attributes, and
  the training tiles nearby."""

  def __init__(self, run: AutoencoderRun | PainterRun):
    self._painter = run if isinstance(run, PainterRun) else None
    self._run = run.autoencoder if isinstance(run, PainterRun) else run
    self._workdir, self._step = run.workdir, run.step
    self._space = space.fit(self._run.training_latents)
    try:
      self._tiles = self._run.tiles("validation", LABELED)
    except UserError:  # an exported run, whose data are elsewhere
      bank = self._space.bank[:TRAY].astype(np.float32)
      self._tiles = {"image": self._decode(bank)}
    self._latents = self._encode(self._tiles["image"])

  def state(self) -> State:
    """The page before the first action."""
    tiles = self._tiles["image"][:TRAY]
    shape = " x ".join(map(str, self._run.task.latent_shape))
    return {
      "title": f"Latents of {self._workdir.name}",
      "about": f"step {self._step:,}; a latent has {shape} numbers. Sliders are"
      " principal components of training latents, in standard deviations.",
      "controls": self._controls(),
      "tray": [self._small(x) for x in tiles],
      "slots": SLOTS,
      "uploads": self._run.image_shape[2] <= 3,
      "paints": False,
    }

  def act(self, action: str, given: Mapping[str, Any]) -> Answer:
    """The answer to an action; see `Session`."""
    return self._shown(self._new_latent(action, given))

  def _controls(self) -> list[Control]:
    """The inputs: sliders, draws, mixtures and attributes."""
    begin, mixed = "Begin from", "Mix and calculate"
    sliders = [
      session.slider(
        f"pc{i}",
        f"{i + 1}: {share:.1%}",
        "Principal components (share of the variance)",
        value=0,
        low=-FAR,
        high=FAR,
      )
      for i, share in enumerate(self._space.shares)
    ]
    return [
      session.button("reset", "the mean", begin),
      *(session.button(x, f"a random one, {x}", begin) for x in METHODS),
      session.seed(begin),
      *sliders,
      session.slider("t", "share of B", mixed, value=0.5, low=0.0, high=1.0),
      session.button("mix", "mix A and B", mixed),
      session.button("arithmetic", "A - B + C", mixed),
      *self._toward(),
    ]

  def _toward(self) -> list[Control]:
    """A list of attributes, and how far to go towards one."""
    if not self._attributes:
      return []
    group = "Attributes"
    values = list(self._attributes)
    chosen: Control = {
      "name": "attribute",
      "label": "toward",
      "kind": "select",
      "group": group,
      "values": values,
      "value": values[0],
    }
    amount = session.slider("amount", "by", group, value=1, low=-2, high=2)
    return [chosen, amount, session.button("go", "go", group)]

  @functools.cached_property
  def _attributes(self) -> dict[str, np.ndarray]:
    """Directions of attributes of held-out tiles, by `attribute: value`."""
    found = {}
    for name, values in self._run.names.items():
      if name in self._tiles:
        each = space.directions(self._latents, self._tiles[name], values)
        found |= {f"{name}: {value}": x for value, x in each.items()}
    return found

  def _new_latent(self, action: str, given: Mapping[str, Any]) -> np.ndarray:
    """The latent after an action."""
    if action in ("start", "tile", "upload"):
      return self._of_image(action, given)
    if action == "reset":
      return self._space.mean
    for method in METHODS:
      if action == method:
        return self._drawn(method, int(session.number(given, "seed")))
    if action == "mix":
      a, b = self._slots(given, "AB")
      return np.asarray(lerp(a, b, session.number(given, "t")))
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
      tile = session.uploaded(given.get("image"), side, channels)
      return self._encode(tile[None])[0]
    num = len(self._tiles["image"][:TRAY])
    return self._latents[0 if action == "start" else tile_index(given, num)]

  def _moved(
    self, action: str, latent: np.ndarray, given: Mapping[str, Any]
  ) -> np.ndarray:
    """A latent moved to the sliders, or towards an attribute."""
    if action == "change":
      names = [f"pc{i}" for i in range(len(self._space.shares))]
      asked = np.array([session.number(given, x) for x in names])
      return self._space.moved(latent, np.clip(asked, -FAR, FAR))
    toward = self._attributes.get(given["values"].get("attribute"))
    if toward is None:
      raise UserError("attribute: expected one of the list.")
    return latent + session.number(given, "amount") * toward

  def _slots(self, given: Mapping[str, Any], names: str) -> list[np.ndarray]:
    slots = given.get("slots") or {}
    missing = [x for x in names if not slots.get(x)]
    if missing:
      raise UserError(f"{', '.join(missing)}: keep a latent there first.")
    return [self._given(slots[x]) for x in names]

  def _given(self, values: Any) -> np.ndarray:
    """A latent as the page sends it."""
    size = self._space.bank.shape[1]
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

  def _shown(self, latent: np.ndarray) -> Answer:
    """The decoded latent, what is near it, and what is to be known of it."""
    near = self._space.nearest(latent, NEAREST)
    image, *others = self._decode(np.stack([latent, *near]))
    figures = [session.figure("decoded", image, self._channels)]
    if self._painter is not None:
      z = self._shaped(latent[None])
      painted = self._painter.decode(z, seed=0)[0]
      label = "painted by the hybrid"
      figures.append(session.figure(label, painted, self._channels))
    label = "nearest training tiles, through the autoencoder"
    figures.append(self._row(label, others))
    coordinates = self._space.coordinates(latent)
    return {
      "figures": figures,
      "notes": self._notes(latent),
      "values": {f"pc{i}": round(x, 3) for i, x in enumerate(coordinates)},
      "latent": [float(x) for x in latent],
      "code": self._code(latent),
    }

  def _notes(self, latent: np.ndarray) -> list[str]:
    share = self._space.usual(latent)
    said = f"more likely than {share:.0%} of the training latents"
    if share < UNUSUAL:
      said = "less likely than 99 % of the training latents: the decoder has"
      said += " seen little like it"
    return [said]

  def _code(self, latent: np.ndarray) -> str:
    shape = self._run.task.latent_shape
    numbers = ", ".join(f"{x:.4g}" for x in latent)
    return (
      f"import jaxgen\nimport numpy as np\n\nrun = jaxgen.load("
      f'"{self._workdir}")\nlatent = np.array([{numbers}], np.float32)\n'
      f"jaxgen.show(run.decode(latent.reshape(1, {str(shape)[1:-1]})))"
    )

  def _shaped(self, latents: np.ndarray) -> np.ndarray:
    shape = self._run.task.latent_shape
    return latents.astype(np.float32).reshape(-1, *shape)

  def _decode(self, latents: np.ndarray) -> np.ndarray:
    return self._run.decode(self._shaped(latents), batch=NEAREST + 2)

  def _encode(self, images: np.ndarray) -> np.ndarray:
    latents = self._run.encode(images)
    return latents.reshape(len(latents), -1).astype(np.float64)

  @property
  def _channels(self) -> tuple[int, ...]:
    return self._run.shown_channels

  def _row(self, label: str, images: list[np.ndarray]) -> Figure:
    """Images side by side, at half the size of a figure."""
    row = np.concatenate(images, axis=1)
    zoom = max(1, session.LEAST // 2 // row.shape[0])
    return {
      "label": label,
      "image": self._small(row.repeat(zoom, 0).repeat(zoom, 1)),
    }

  def _small(self, image: np.ndarray) -> str:
    return session.small(image, self._channels)
