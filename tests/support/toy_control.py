"""A config file: a toy ControlNet on the denoiser of `toy_edm`, for tests."""

from jaxgen.config.defaults import control, dit
from jaxgen.config.variants import demo, smoke


def get_config():
  """Of rock tiles, told the masks of their minerals."""
  config = smoke(demo(control(dit())))
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
  config.hint.update(
    kind="segments",
    num_classes=6,
  )
  config.control.base = "runs/toy_edm"
  return config
