"""The latent space of an autoencoder as a page; of a hybrid with its paint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.explore import controls, pictures
from jaxgen.explore.latent_actions import FAR, METHODS, LatentActions
from jaxgen.explore.session import Answer, Control, Figure, State
from jaxgen.sample.autoencoder import AutoencoderRun
from jaxgen.sample.painter import PainterRun

NEAREST = 6  # training tiles
SLOTS = ["A", "B", "C"]
UNUSUAL = 0.01


class AutoencoderSession:
  """Sliders along principal components, mixtures, arithmetic, attributes, and
  the training tiles nearby."""

  def __init__(self, run: AutoencoderRun | PainterRun):
    self._painter = run if isinstance(run, PainterRun) else None
    self._run = run.autoencoder if isinstance(run, PainterRun) else run
    self._workdir, self._step = run.workdir, run.step
    self._latents = LatentActions(self._run)

  def state(self) -> State:
    """The page before the first action."""
    shape = " x ".join(map(str, self._run.task.latent_shape))
    return {
      "title": f"Latents of {self._workdir.name}",
      "about": f"step {self._step:,}; a latent has {shape} numbers. Sliders are"
      " principal components of training latents, in standard deviations.",
      "controls": self._controls(),
      "tray": [self._small(x) for x in self._latents.tray],
      "slots": SLOTS,
      "uploads": self._run.image_shape[2] <= 3,
      "paints": False,
    }

  def act(self, action: str, given: Mapping[str, Any]) -> Answer:
    """The answer to an action; see `Session`."""
    return self._shown(self._latents.after(action, given))

  def _controls(self) -> list[Control]:
    """The inputs: sliders, draws, mixtures and attributes."""
    begin, mixed = "Begin from", "Mix and calculate"
    sliders = [
      controls.slider(
        f"pc{i}",
        f"{i + 1}: {share:.1%}",
        "Principal components (share of the variance)",
        value=0,
        low=-FAR,
        high=FAR,
      )
      for i, share in enumerate(self._latents.space.shares)
    ]
    return [
      controls.button("reset", "the mean", begin),
      *(controls.button(x, f"a random one, {x}", begin) for x in METHODS),
      controls.seed(begin),
      *sliders,
      controls.slider("t", "share of B", mixed, value=0.5, low=0.0, high=1.0),
      controls.button("mix", "mix A and B", mixed),
      controls.button("arithmetic", "A - B + C", mixed),
      *self._toward(),
    ]

  def _toward(self) -> list[Control]:
    """A list of attributes, and how far to go towards one."""
    if not self._latents.attributes:
      return []
    group = "Attributes"
    values = list(self._latents.attributes)
    chosen = controls.select(
      "attribute", "toward", group, values, value=values[0]
    )
    amount = controls.slider("amount", "by", group, value=1, low=-2, high=2)
    return [chosen, amount, controls.button("go", "go", group)]

  def _shown(self, latent: np.ndarray) -> Answer:
    """The decoded latent, what is near it, and what is to be known of it."""
    near = self._latents.space.nearest(latent, NEAREST)
    image, *others = self._latents.decode(np.stack([latent, *near]))
    figures = [pictures.figure("decoded", image, self._channels)]
    if self._painter is not None:
      z = self._latents.shaped(latent[None])
      painted = self._painter.decode(z, seed=0)[0]
      label = "painted by the hybrid"
      figures.append(pictures.figure(label, painted, self._channels))
    label = "nearest training tiles, through the autoencoder"
    figures.append(self._row(label, others))
    coordinates = self._latents.space.coordinates(latent)
    return {
      "figures": figures,
      "notes": self._notes(latent),
      "values": {f"pc{i}": round(x, 3) for i, x in enumerate(coordinates)},
      "latent": [float(x) for x in latent],
      "code": self._code(latent),
    }

  def _notes(self, latent: np.ndarray) -> list[str]:
    share = self._latents.space.usual(latent)
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

  @property
  def _channels(self) -> tuple[int, ...]:
    return self._run.shown_channels

  def _row(self, label: str, images: list[np.ndarray]) -> Figure:
    """Images side by side, at half the size of a figure."""
    row = np.concatenate(images, axis=1)
    zoom = max(1, pictures.LEAST // 2 // row.shape[0])
    return {
      "label": label,
      "image": self._small(row.repeat(zoom, 0).repeat(zoom, 1)),
    }

  def _small(self, image: np.ndarray) -> str:
    return pictures.small(image, self._channels)
