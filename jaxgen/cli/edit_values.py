"""Checks of the flags of `jaxgen edit` that need neither a run nor images."""

from __future__ import annotations

import argparse
import reprlib

from jaxgen.cli import flags, hint_flags, sampling_flags
from jaxgen.errors import UserError

KINDS = ("mask", "canvas", "strength", "to")


def check_flags(args: argparse.Namespace) -> None:
  """Raise a UserError unless the flags are those of exactly one kind, and their
  values are right for any run."""
  _check_kind(args)
  sampling_flags.check_values(args)
  if args.canvas is not None:
    canvas(args.canvas)
  if args.strength is not None:
    _check_strength(args.strength)


def canvas(text: str) -> tuple[int, int]:
  """The height and width in `--canvas=HEIGHTxWIDTH`.

  Raises:
    UserError: no such text, or sides that no canvas has.
  """
  from jaxgen.sample.editing import MAX_SIDE

  height, _, width = text.partition("x")
  side = flags.integer(1, MAX_SIDE)
  try:
    return side(height), side(width)
  except argparse.ArgumentTypeError as e:
    shown = text if len(text) < 40 else reprlib.repr(text)
    raise UserError(
      f"--canvas={shown}: expected HEIGHTxWIDTH, as in 96x128, each from 1 to"
      f" {MAX_SIDE:,}."
    ) from e


def _check_strength(strength: float) -> None:
  from jaxgen.config.fields import check_value
  from jaxgen.sample.editing import Strength

  check_value("strength", Strength, strength)


def _check_kind(args: argparse.Namespace) -> None:
  """Raise a UserError unless the flags are those of exactly one kind."""
  chosen = [kind for kind in KINDS if getattr(args, kind) is not None]
  if len(chosen) != 1:
    kinds, given = (
      ", ".join(f"--{kind}" for kind in names) for names in (KINDS, chosen)
    )
    raise UserError(f"expected one of {kinds}, got {given or 'none'}.")
  if args.mask is None and args.canvas is None:
    owner = "--mask and --canvas"
    sampling_flags.refuse(args, ("corrections",), owner=owner)
  if args.to is None:
    sampling_flags.refuse(args, ("between",), owner="--to")
  else:
    names = (*sampling_flags.SAMPLING, *hint_flags.HINTS, "seed")
    owner = "the other kinds of edits"
    sampling_flags.refuse(args, names, owner=owner)
