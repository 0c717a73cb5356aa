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
  flags.add_seed_flag(
    group, help="seed of the paint (default: 0)", default=None
  )
  sampling_flags.add_sampling_flags(group)


def painting_options(model: Coder, args: argparse.Namespace) -> dict[str, Any]:
  """The keywords of a run's methods; none of an autoencoder.

  Raises:
    UserError: flags of hybrids for another run, or values that are wrong.
  """
  from jaxgen.sample.painter import PainterRun

  if not isinstance(model, PainterRun):
    names = ("seed", *sampling_flags.SAMPLING)
    sampling_flags.refuse(args, names, owner="hybrids")
    return {}
  sampling_flags.check_values(args)
  return {"seed": args.seed or 0, **sampling_flags.sampling_options(args)}
