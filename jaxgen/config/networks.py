"""What the sections `model` of all networks share."""

from __future__ import annotations

from typing import Literal

from jaxgen.errors import UserError

DType = Literal["auto", "float32", "bfloat16"]
Padding = Literal["zeros", "circular"]


def check_patches(patch_size: int, resolution: int) -> None:
  """Raise a UserError unless patches tile the image."""
  if resolution % patch_size:
    raise UserError(
      f"model.patch_size={patch_size} does not divide the resolution "
      f"{resolution}."
    )
