"""The parser of a verb's flags."""

from __future__ import annotations

import argparse
import difflib
import pathlib
from collections.abc import Sequence
from typing import NoReturn

from jaxgen.errors import UserError
from jaxgen.formats import addresses

FIELDS = "--config."  # flags that set fields of the config
Parsed = tuple[argparse.Namespace, list[str]]


class Parser(argparse.ArgumentParser):
  """An argparse parser with one-line errors that accepts no abbreviations."""

  def __init__(self, **options):
    super().__init__(
      allow_abbrev=False,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      **options,
    )

  def error(self, message: str) -> NoReturn:
    """Raise a UserError."""
    raise UserError(f"{self.prog}: {message}; see {self.prog} --help.")

  def parse(self, argv: Sequence[str]) -> Parsed:
    """The values of flags, and the arguments that set fields or conditions.

    Raises:
      UserError: an unknown flag, which is named before one that is missing; or
        a path of an object store.
    """
    try:
      args, rest = self.parse_known_args(argv)
    except UserError:
      self._check_known([x for x in argv if x.startswith("--")])
      raise
    if not self.get_default("takes_more"):
      self._check_known(rest)
    for name, value in vars(args).items():
      if isinstance(value, pathlib.Path):
        addresses.check_local(value, f"--{name}")
    return args, rest

  def _check_known(self, arguments: Sequence[str]) -> None:
    """Raise a UserError for the first argument that is not known; to verbs that
    take conditions, only if it resembles a flag."""
    known = self._option_string_actions
    for argument in arguments:
      name = argument.partition("=")[0]
      is_field = "--config" in known and name.startswith(FIELDS)
      if name in known or is_field:
        continue
      head, dot, field = name.partition(".")
      near = difflib.get_close_matches(head, known, n=1, cutoff=0.75)
      if near or not self.get_default("takes_more"):
        hint = f" (did you mean {near[0]}{dot}{field}?)" if near else ""
        self.error(f"{name}: no such flag{hint}")
