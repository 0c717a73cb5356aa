"""A config file: a toy few-step model of the same network as `toy_edm`."""

from jaxgen.config.defaults import consistency, dit
from jaxgen.config.variants import demo, smoke


def get_config():
  """Of rock tiles, under all their attributes."""
  config = smoke(demo(consistency(dit())))
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
