"""Rendering of a rock from its fabric and structure: colors and shading.

A pixel is the color of its mineral in the scheme's palette times the light

    1 + tone + grit + stain - tanh(slope towards the lamp)
"""

from __future__ import annotations

import numpy as np

from jaxgen.data.rocks import fabric as fabrics
from jaxgen.data.rocks import structure as structures
from jaxgen.data.rocks import texture
from jaxgen.data.rocks.texture import Canvas

ZOOM_LEVELS = ("macro", "close", "hand", "outcrop")  # from near to far

_LIGHT = (-0.8, -0.6)  # gain of the shading for the slope along y and x

# sRGB of each phase, in the order of PHASES.
PALETTES = {
  "gray": "77797b a9acad c9c9c6 3f4245 e4e4e0 2a2b2d",
  "red": "8a4a3f b88a80 bd7361 4a2a28 e6cfc4 2e1715",
  "brown": "77583a a58a68 b8905a 42301f dcc9a6 271b10",
  "green": "55694f 8fa387 9aab80 2c3d2e dce4cb 19241a",
  "cream": "d2c29a e6dcc0 ecd9a8 94805a 8c5f3c 5d4b33",
  "dark": "2e3036 565a62 484b55 16171a b9bcc0 08080a",
}
# Contrast between a rock's minerals, and grit of its surface.
_CONTRAST = {
  "granite": 1.0,
  "basalt": 0.9,
  "sandstone": 0.4,
  "marble": 0.5,
  "gneiss": 0.9,
  "conglomerate": 0.8,
}
_GRIT = {
  "granite": 0.04,
  "basalt": 0.06,
  "sandstone": 0.05,
  "marble": 0.02,
  "gneiss": 0.04,
  "conglomerate": 0.05,
}


def draw_rock(
  canvas: Canvas,
  *,
  rock_type: str,
  color_scheme: str,
  texture_pattern: str,
  zoom_level: str,
) -> tuple[np.ndarray, np.ndarray]:
  """Draw a rock with the given attributes.

  Args:
    canvas: canvas of at least 128 pixels, to resolve the far zoom levels.
    rock_type: one of `fabrics.FABRICS`.
    color_scheme: one of `PALETTES`.
    texture_pattern: one of `structures.STRUCTURES`.
    zoom_level: one of `ZOOM_LEVELS`.

  Returns:
    RGB (size, size, 3), float32 in [0, 1], and the phase of each pixel,
    (size, size) int8, an index into `fabrics.PHASES`.
  """
  near = canvas.rng("distance").uniform(0.9, 1.1)
  zoom = ZOOM_LEVELS.index(zoom_level)
  structure = structures.STRUCTURES[texture_pattern](canvas, near * 1.5**zoom)
  fabric = fabrics.FABRICS[rock_type](
    canvas, structure.at, scale=near * 1.65**zoom, bias=structure.bias
  )
  bare = np.asarray(structure.phase) < 0
  phase = np.where(bare, fabric.phase, structure.phase).astype(np.int8)
  tone = np.where(bare, fabric.tone + structure.tone, np.float32(0))
  height = np.where(bare, fabric.height, np.float32(0)) + structure.height
  palette = _palette(color_scheme, _CONTRAST[rock_type])
  light = _light(canvas, tone=tone, height=height, grit=_GRIT[rock_type])
  rgb = np.clip(palette[phase] * light[..., None], 0, 1)
  return _soften(canvas, rgb.astype(np.float32)), phase


def _light(
  canvas: Canvas, *, tone: np.ndarray, height: np.ndarray, grit: float
) -> np.ndarray:
  """The light (size, size), around 1; the lamp is at the upper left."""
  fine = texture.noise(canvas, "grit", 16, 0.7)
  stain = texture.noise(canvas, "stain", 2, 0.5)
  dy, dx = texture.slope(canvas, height)
  shade = np.tanh(_LIGHT[0] * dy + _LIGHT[1] * dx)
  return 1 + tone + grit * fine + 0.05 * stain - 0.35 * shade


def _soften(canvas: Canvas, rgb: np.ndarray) -> np.ndarray:
  """Blur as by a lens, with [1 2 1] / 4 along each axis."""
  mode = "wrap" if canvas.seamless else "edge"
  rgb = np.pad(rgb, ((1, 1), (1, 1), (0, 0)), mode=mode)
  rgb = (rgb[:-2] + 2 * rgb[1:-1] + rgb[2:]) / 4
  return (rgb[:, :-2] + 2 * rgb[:, 1:-1] + rgb[:, 2:]) / 4


def _palette(scheme: str, contrast: float) -> np.ndarray:
  """Colors (phases, 3) in [0, 1]; a contrast < 1 moves minerals towards their
  mean."""
  colors = np.array(
    [list(bytes.fromhex(code)) for code in PALETTES[scheme].split()]
  )
  minerals = slice(0, fabrics.CEMENT)
  mean = colors[minerals].mean(0)
  colors = colors.astype(np.float32) / 255
  colors[minerals] = mean / 255 + contrast * (colors[minerals] - mean / 255)
  return colors
