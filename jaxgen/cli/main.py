"""Train and sample generative models of image tiles with JAX."""

from __future__ import annotations

import difflib
import errno
import io
import os
import sys
import warnings
from types import ModuleType

import jaxgen
from jaxgen.cli import (
  benchmark,
  calibrate,
  compare,
  data,
  decode,
  doctor,
  edit,
  ema,
  encode,
  evaluate,
  flags,
  interpolate,
  monitor,
  plan,
  reconstruct,
  restore,
  sample,
  sweep,
  train,
)
from jaxgen.cli.parser import Parser
from jaxgen.errors import Interrupted, RunError, UserError
from jaxgen.parallel.compilation_cache import cache_compilations

VERBS: dict[str, ModuleType] = {
  "data": data,
  "train": train,
  "monitor": monitor,
  "plan": plan,
  "sample": sample,
  "encode": encode,
  "decode": decode,
  "reconstruct": reconstruct,
  "interpolate": interpolate,
  "edit": edit,
  "calibrate": calibrate,
  "restore": restore,
  "evaluate": evaluate,
  "ema": ema,
  "compare": compare,
  "sweep": sweep,
  "benchmark": benchmark,
  "doctor": doctor,
}

XLA_LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # the least severe messages of XLA in C++
NOISE = (  # beginnings of other libraries' warnings
  "coroutine .* was never awaited",
  "(possibly )?corrupt EXIF data|truncated file read|metadata warning",  # PIL
)
XLA_QUIET, XLA_VERBOSE = "3", "0"  # fatal ones alone, or all


def _overview() -> str:
  lines = [
    f"  {name:12} {(module.__doc__ or '').splitlines()[0]}"
    for name, module in VERBS.items()
  ]
  return "\n".join(
    ["usage: jaxgen VERB [flags]", "", __doc__ or "", "", "verbs:", *lines]
    + ["", "jaxgen VERB --help lists the flags of a verb."]
  )


def _unknown_verb(name: str) -> str:
  """The message for a verb that does not exist."""
  near = difflib.get_close_matches(name, VERBS, n=2)
  hint = f" Did you mean {' or '.join(near)}?" if near else ""
  return f"verb {name}: expected one of {', '.join(VERBS)}.{hint}"


def _set_messages(*, verbose: bool) -> None:
  """Let through the messages of other libraries, or silence them."""
  if verbose:
    os.environ[XLA_LEVEL] = XLA_VERBOSE
    return
  os.environ.setdefault(XLA_LEVEL, XLA_QUIET)  # read when JAX is imported
  _quiet()


def _quiet() -> None:
  """Silence messages about damaged checkpoints, files and full disks, which
  jaxgen reports itself, and print warnings on one line."""
  from absl import logging

  logging.set_verbosity(logging.FATAL)
  for noise in NOISE:
    warnings.filterwarnings("ignore", noise)
  warnings.formatwarning = _warning_line
  sys.unraisablehook = _report_unraisable


def _warning_line(message: Warning | str, *_: object, **__: object) -> str:
  """A warning, which may be another library's, on one line."""
  return f"warning: {' '.join(str(message).split())}\n"


def _print_all_names() -> None:
  """Print the bytes of file names that are not UTF-8 as they are."""
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors="surrogateescape")


def _report_unraisable(unraisable) -> None:
  """The default hook, without messages of TensorStore's threads after a failed
  save."""
  if str(unraisable.exc_value) != "Event loop is closed":
    sys.__unraisablehook__(unraisable)


def _dispatch(argv: list[str]) -> int:
  if not argv or argv[0] in ("-h", "--help"):
    print(_overview())
    return 0
  if argv[0] == "--version":
    print(f"jaxgen {jaxgen.__version__}")
    return 0
  if argv[0] not in VERBS:
    raise UserError(_unknown_verb(argv[0]))
  module = VERBS[argv[0]]
  parser = Parser(prog=f"jaxgen {argv[0]}", description=module.__doc__)
  module.add_flags(parser)
  flags.add_verbose_flag(parser)
  args, rest = parser.parse(argv[1:])
  cache_compilations()
  _set_messages(verbose=args.verbose)
  if getattr(args, "deterministic", False):  # before a device is used
    flags.set_deterministic()
  from jaxgen.cli.progress_display import displaying

  try:
    with displaying():
      return module.run(args, rest) or 0
  except UserError as e:
    raise UserError(flags.as_flags(str(e), args)) from e


def main(argv: list[str] | None = None) -> int:
  """Run a verb; returns the exit status, 2 for a user error."""
  _print_all_names()
  try:
    return _dispatch(sys.argv[1:] if argv is None else argv)
  except UserError as e:
    print(f"error: {e}", file=sys.stderr)
    return 2
  except RunError as e:
    print(f"error: {e}", file=sys.stderr)
    return 1
  except Interrupted as e:
    if str(e):
      print(f"error: {e}", file=sys.stderr)
    return e.status
  except KeyboardInterrupt:
    print("error: interrupted.", file=sys.stderr)
    return 130
  except BrokenPipeError:  # the reader of a pipe has exited
    return 1
  except OSError as e:
    path = f"{e.filename}: " if e.filename else ""
    print(f"error: {path}{e.strerror or e}", file=sys.stderr)
    return 2 if e.errno == errno.ENAMETOOLONG else 1


if __name__ == "__main__":
  sys.exit(main())
