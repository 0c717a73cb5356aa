"""Train and sample generative models of image tiles with JAX."""
# PYTHON_ARGCOMPLETE_OK

from __future__ import annotations

import difflib
import errno
import shlex
import sys
from types import ModuleType

import jaxgen
from jaxgen.cli import (
  benchmark,
  calibrate,
  compare,
  completion,
  configs,
  data,
  decode,
  doctor,
  edit,
  ema,
  encode,
  evaluate,
  explore,
  export,
  flags,
  import_weights,
  interpolate,
  messages,
  monitor,
  plan,
  reconstruct,
  restore,
  sample,
  sweep,
  train,
  upscale,
)
from jaxgen.cli.parser import Parser
from jaxgen.errors import Interrupted, RunError, UserError
from jaxgen.parallel.compilation_cache import cache_compilations
from jaxgen.parallel.signals import exit_now

VERBS: dict[str, ModuleType] = {
  "configs": configs,
  "data": data,
  "train": train,
  "monitor": monitor,
  "plan": plan,
  "sample": sample,
  "encode": encode,
  "decode": decode,
  "reconstruct": reconstruct,
  "upscale": upscale,
  "interpolate": interpolate,
  "edit": edit,
  "calibrate": calibrate,
  "restore": restore,
  "evaluate": evaluate,
  "ema": ema,
  "compare": compare,
  "sweep": sweep,
  "explore": explore,
  "export": export,
  "import": import_weights,
  "benchmark": benchmark,
  "doctor": doctor,
}


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
  args.command = shlex.join(["jaxgen", *argv])
  cache_compilations()
  messages.set_messages(verbose=args.verbose)
  if getattr(args, "deterministic", False):  # before a device is used
    flags.set_deterministic()
  from jaxgen.cli.progress_display import displaying

  try:
    with displaying():
      return module.run(args, rest) or 0
  except UserError as e:
    raise UserError(flags.as_flags(str(e), args)) from e


def main(argv: list[str] | None = None) -> int:
  """Run a verb.

  Args:
    argv: its name and flags; by default those of this process, which then ends
      here if a signal stopped it.

  Returns:
    The exit status, 2 for a user error.
  """
  completion.complete(VERBS)
  messages.print_all_names()
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
    return e.status if argv is not None else exit_now(e.status)
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
