"""What the sections `model` of all networks share."""

from __future__ import annotations

from typing import Literal

from jaxgen.errors import UserError

DType = Literal["auto", "float32", "bfloat16"]
Padding = Literal["zeros", "circular"]


def check_attention(
  attention: tuple[bool, ...], levels: tuple[int, ...], *, name: str = "widths"
) -> None:
  """Raise a UserError unless there are levels, each with its attention."""
  if not levels:
    raise UserError(f"model.{name}=(): expected at least one entry.")
  if len(attention) != len(levels):
    raise UserError(
      f"model.attention={attention}: expected {len(levels)} entries, one for"
      f" each of model.{name}."
    )


def check_halvings(
  widths: tuple[int, ...], resolution: int, *, name: str = "widths"
) -> None:
  """Raise a UserError if images cannot be halved from level to level."""
  if resolution % 2 ** (len(widths) - 1):
    raise UserError(
      f"model.{name}={widths}: the resolution {resolution} cannot be halved"
      f" {len(widths) - 1} times."
    )


def check_divides(name: str, value: int, widths: tuple[int, ...]) -> None:
  """Raise a UserError if a field, unless 0, does not divide the channels of
  every level."""
  if value and any(width % value for width in widths):
    raise UserError(
      f"model.{name}={value} does not divide model.widths={widths}."
    )


def check_patches(patch_size: int, resolution: int) -> None:
  """Raise a UserError unless patches tile the image."""
  if resolution % patch_size:
    raise UserError(
      f"model.patch_size={patch_size} does not divide the resolution "
      f"{resolution}."
    )
