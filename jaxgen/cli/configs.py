"""List the configs that come with jaxgen, or copy one to change it.

  jaxgen configs
  jaxgen configs --show=rocks_edm
  jaxgen configs --copy=rocks_edm --out=mine.py

Every verb with --config takes a name of the list, with a variant such as
--config=rocks_edm:demo, or a file.
"""

from __future__ import annotations

import argparse
import ast
import pathlib
import textwrap
from typing import NamedTuple

from jaxgen.errors import UserError

WIDTH = 80


class Described(NamedTuple):
  """What a config file says of itself.

  Attributes:
    about: the docstring of the file.
    variants: that of its `get_config` or `get_sweep`, in one line.
  """

  about: str
  variants: str

  @property
  def title(self) -> str:
    """The first paragraph."""
    return " ".join(self.about.split("\n\n")[0].split())


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Add the flags of this verb."""
  chosen = parser.add_mutually_exclusive_group()
  chosen.add_argument("--show", metavar="NAME", help="all that it says")
  chosen.add_argument("--copy", metavar="NAME", help="copy its file")
  parser.add_argument(
    "--out",
    type=pathlib.Path,
    help="the new file of --copy (default: NAME.py in this folder)",
  )


def run(args: argparse.Namespace, rest: list[str]) -> None:
  """List, show or copy."""
  if args.out and not args.copy:
    raise UserError("--out: expected --copy, too.")
  if args.copy:
    _copy(args.copy, args.out)
  elif args.show:
    found = describe(_file(args.show, "show"))
    print(f"{found.about}\n\n{textwrap.fill(found.variants, WIDTH)}")
  else:
    print("\n".join(_lines(listed())))


def names() -> list[str]:
  """The names of all configs and sweeps."""
  return list(_files())


def listed() -> dict[str, Described]:
  """All configs by name, then all sweeps as `sweeps/NAME`."""
  found = {name: describe(file) for name, file in _files().items()}
  return {name: x for name, x in found.items() if x.variants}


def describe(file: pathlib.Path) -> Described:
  """The docstrings of a config file, which is not run."""
  tree = ast.parse(file.read_text())
  makers = [
    ast.get_docstring(x) or ""
    for x in tree.body
    if isinstance(x, ast.FunctionDef) and x.name in ("get_config", "get_sweep")
  ]
  variants = " ".join(" ".join(makers).split())
  return Described(ast.get_docstring(tree) or "", variants)


def _lines(configs: dict[str, Described]) -> list[str]:
  """A name, what it is, and its variants, for each."""
  lines, indent = [], " " * 4
  for name, found in configs.items():
    lines.append(name)
    for text in (found.title, found.variants):
      lines += textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent
      )
  return lines


def _files() -> dict[str, pathlib.Path]:
  """The files beside the configs by name, those of sweeps last."""
  from jaxgen.config.files import CONFIGS

  files = [*sorted(CONFIGS.glob("*.py")), *sorted(CONFIGS.glob("*/*.py"))]
  return {x.relative_to(CONFIGS).with_suffix("").as_posix(): x for x in files}


def _file(name: str, flag: str) -> pathlib.Path:
  """The file of a config, given its name.

  Raises:
    UserError: there is none.
  """
  from jaxgen.config.fields import near_miss

  files = _files()
  if name not in files:
    raise UserError(
      f"--{flag}={name}: expected a name that jaxgen configs"
      f" lists.{near_miss(name, sorted(files))}"
    )
  return files[name]


def _copy(name: str, out: pathlib.Path | None) -> None:
  """Copy a file; one that exists stays as it is."""
  file = _file(name, "copy")
  out = out or pathlib.Path(file.name)
  if out.is_dir():
    raise UserError(f"--out={out}: expected a file, got a folder.")
  if out.exists():
    raise UserError(f"--out={out}: it exists; choose another name.")
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(file.read_text())
  print(f"{out} is a copy of {name}: jaxgen train --config={out} --workdir=...")
