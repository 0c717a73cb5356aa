"""Completion of verbs, flags, configs and paths in a shell.

  eval "$(register-python-argcomplete jaxgen)"

in bash or zsh; see `register-python-argcomplete --help` for other shells.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from types import ModuleType

from jaxgen.cli import configs, flags

ASKED = "_ARGCOMPLETE"  # set by the shell


def complete(verbs: Mapping[str, ModuleType]) -> None:
  """Answer a shell that asks for completions, and exit; else do nothing."""
  if ASKED not in os.environ:
    return
  import argcomplete

  argcomplete.autocomplete(_parser(verbs), always_complete_options=False)


def _parser(verbs: Mapping[str, ModuleType]) -> argparse.ArgumentParser:
  """One parser for all verbs, for completion only."""
  parser = argparse.ArgumentParser(prog="jaxgen")
  parsers = parser.add_subparsers()
  for name, module in verbs.items():
    verb = parsers.add_parser(name)
    module.add_flags(verb)
    flags.add_verbose_flag(verb)
    for action in verb._actions:
      if action.dest == "config":
        setattr(action, "completer", _configs)  # noqa: B010
  return parser


def _configs(prefix: str, **_) -> Iterable[str]:
  """The configs that come with the package, and files."""
  from argcomplete.completers import FilesCompleter

  yield from configs.names()
  yield from FilesCompleter(["py"])(prefix)
