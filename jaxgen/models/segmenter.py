"""A small network that predicts the class of each pixel."""

from __future__ import annotations

import flax.linen as nn
from jaxtyping import Float

from jaxgen.typing import Array

WIDTH = 24
DILATIONS = (1, 2, 4, 8, 1)  # of 3 x 3 convolutions: 33 pixels are seen


class Segmenter(nn.Module, kw_only=True):
  """Images in [-1, 1] to logits of so many classes."""

  num_classes: int

  @nn.compact
  def __call__(
    self, x: Float[Array, "b h w c"]
  ) -> Float[Array, "b h w {self.num_classes}"]:
    """The logits, of the height and width of the images."""
    for i, dilation in enumerate(DILATIONS):
      layer = nn.Conv(WIDTH, (3, 3), kernel_dilation=dilation, name=f"conv_{i}")
      y = nn.silu(nn.LayerNorm(name=f"norm_{i}")(layer(x)))
      x = y if i == 0 else x + y
    return nn.Dense(self.num_classes, name="out")(x)
