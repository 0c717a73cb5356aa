"""Messages of other libraries, and the streams they are printed to."""

from __future__ import annotations

import io
import os
import sys
import warnings

XLA_LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # the least severe messages of XLA in C++
NOISE = (  # beginnings of other libraries' warnings
  "coroutine .* was never awaited",
  "(possibly )?corrupt EXIF data|truncated file read|metadata warning",  # PIL
)
XLA_QUIET, XLA_VERBOSE = "3", "0"  # fatal ones alone, or all


def set_messages(*, verbose: bool) -> None:
  """Let through the messages of other libraries, or silence them."""
  if verbose:
    os.environ[XLA_LEVEL] = XLA_VERBOSE
    return
  os.environ.setdefault(XLA_LEVEL, XLA_QUIET)  # read when JAX is imported
  quiet()


def quiet() -> None:
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


def print_all_names() -> None:
  """Print the bytes of file names that are not UTF-8 as they are."""
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors="surrogateescape")


def _report_unraisable(unraisable) -> None:
  """The default hook, without messages of TensorStore's threads after a failed
  save."""
  if str(unraisable.exc_value) != "Event loop is closed":
    sys.__unraisablehook__(unraisable)
