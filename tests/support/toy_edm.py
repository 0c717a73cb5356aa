"""A config file: a toy denoiser that compiles in seconds, for tests."""

from jaxgen.config.defaults import denoiser, dit
from jaxgen.config.variants import demo, smoke


def get_config():
  """Of rock tiles, under all their attributes."""
  config = smoke(demo(denoiser(dit())))
  config.data.update(
    source="rocks",
    flips=True,
    rot90=True,
  )
  config.diffusion.conditions = (
    "rock_type",
    "color_scheme",
    "texture_pattern",
    "zoom_level",
  )
  return config
