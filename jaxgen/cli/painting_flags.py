"""Flags of verbs that encode and decode, for the paint of hybrids."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from jaxgen.cli import flags, sampling_flags

if TYPE_CHECKING:
  from jaxgen.cli.inputs import Coder


def add_painting_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of the paint."""
  group = parser.add_argument_group("hybrids")
  add_paint_seed_flag(group)
  sampling_flags.add_sampling_flags(group)


def add_paint_seed_flag(group: flags.Group) -> None:
  """Add `--seed`, of the paint."""
  flags.add_seed_flag(
    group, help="hybrids: seed of the paint (default: 0)", default=None
  )


def painting_options(model: Coder, args: argparse.Namespace) -> dict[str, Any]:
  """The keywords of a run's methods; none of an autoencoder.

  Raises:
    UserError: flags of hybrids for another run, or values that are wrong.
  """
  seed = paint_seed(model, args)
  if not seed:
    owner = "hybrids"
    sampling_flags.refuse(args, sampling_flags.SAMPLING, owner=owner)
    return {}
  sampling_flags.check_values(args)
  return {**seed, **sampling_flags.sampling_options(args)}


def paint_seed(model: Coder, args: argparse.Namespace) -> dict[str, int]:
  """The keyword `seed` of a hybrid's methods; none of an autoencoder.

  Raises:
    UserError: the flag is given for another run.
  """
  from jaxgen.sample.painter import PainterRun

  if isinstance(model, PainterRun):
    return {"seed": args.seed or 0}
  sampling_flags.refuse(args, ("seed",), owner="hybrids")
  return {}
