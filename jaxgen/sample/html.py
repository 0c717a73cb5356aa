"""A loaded run as a notebook shows it."""

from __future__ import annotations

import base64
import html
import pathlib
from collections.abc import Mapping

PREVIEWS = "samples"  # the folder of a run's preview pictures
MAX_BYTES = 4 << 20  # of a picture that is shown
WIDTH = 512  # CSS pixels of it, at most


def run_html(workdir: pathlib.Path, facts: Mapping[str, object]) -> str:
  """A table of facts, and the newest preview picture of the run if there is
  one; nothing is computed."""
  rows = "".join(
    "<tr><th style='text-align:left'>"
    f"{html.escape(name)}</th><td style='text-align:left'>"
    f"{html.escape(str(value))}</td></tr>"
    for name, value in facts.items()
  )
  name = html.escape(workdir.resolve().name)
  return f"<div><b>{name}</b><table>{rows}</table>{_picture(workdir)}</div>"


def newest_preview(workdir: pathlib.Path) -> pathlib.Path | None:
  """The preview picture of the latest step; None where there is none."""
  return max((workdir / PREVIEWS).glob("*.png"), default=None)


def _picture(workdir: pathlib.Path) -> str:
  path = newest_preview(workdir)
  try:
    data = b"" if path is None else path.read_bytes()
  except OSError:  # it is being replaced
    return ""
  if path is None or not data or len(data) > MAX_BYTES:
    return ""
  address = f"data:image/png;base64,{base64.b64encode(data).decode()}"
  return (
    f"<figure><img src='{address}' style='max-width:{WIDTH}px' "
    f"alt='preview'><figcaption>preview {html.escape(path.name)}</figcaption>"
    "</figure>"
  )
