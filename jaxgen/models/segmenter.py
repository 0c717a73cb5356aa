"""A small network that predicts the class of each pixel."""

from __future__ import annotations

import flax.linen as nn
from jaxtyping import Float

from jaxgen.models import conv
from jaxgen.typing import Array

WIDTHS = (16, 32, 32)  # of each halving of the side


class Segmenter(nn.Module, kw_only=True):
  """Images in [-1, 1] to logits of so many classes: down and up again."""

  num_classes: int

  @nn.compact
  def __call__(
    self, x: Float[Array, "b h w c"]
  ) -> Float[Array, "b h w {self.num_classes}"]:
    """The logits, of the height and width of the images."""
    skips = []
    for i, width in enumerate(WIDTHS):
      if i:
        x = nn.avg_pool(x, (2, 2), (2, 2), padding="SAME")
      x = self._block(x, width, f"down_{i}")
      skips.append(x)
    for i, width in reversed(list(enumerate(WIDTHS[:-1]))):
      _, h, w, _ = skips[i].shape
      larger = self._block(conv.upsample(x)[:, :h, :w], width, f"up_{i}")
      x = self._block(larger + skips[i], width, f"out_{i}")
    return nn.Dense(self.num_classes, name="out")(x)

  def _block(
    self, x: Float[Array, "b h w c"], width: int, name: str
  ) -> Float[Array, "b h w {width}"]:
    y = nn.Conv(width, (3, 3), name=f"{name}_conv")(x)
    return nn.silu(nn.LayerNorm(name=f"{name}_norm")(y))
