"""Pages of the notebooks in the documentation; a hook of mkdocs.

    make docs             shows their text and code
    make docs EXECUTE=1   runs them first, which takes minutes each

Pages of notebooks that were run have what their cells print and draw, and how
long they took. Nothing is written beside them: runs are in a temporary folder,
unless `JAXGEN_WORKDIR` names one. `JAXGEN_VARIANT=smoke` makes them small.
"""

from __future__ import annotations

import base64
import os
import pathlib
import re
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient

NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"
FOLDER = "notebooks"  # of the pages
VARIABLE = "EXECUTE"
MOST_LINES = 30  # of what a cell prints


def on_files(files: Files, config: MkDocsConfig) -> Files:
  """Add a page of each notebook, and its pictures."""
  for path in sorted(NOTEBOOKS.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    note = executed(notebook, path.stem) if os.environ.get(VARIABLE) else ""
    for name, content in page(notebook, path.stem, note=note).items():
      uri = f"{FOLDER}/{name}"
      files.append(File.generated(config, uri, content=content))
  return files


def executed(notebook: Any, name: str) -> str:
  """Run a notebook, which then has outputs; returns a line on it."""
  start = time.monotonic()
  with tempfile.TemporaryDirectory() as folder:
    variables = os.environ | {
      "JAXGEN_WORKDIR": os.environ.get("JAXGEN_WORKDIR", f"{folder}/{name}")
    }
    client = NotebookClient(
      notebook,
      timeout=None,
      kernel_name="python3",
      coalesce_streams=True,
      resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.execute(env=variables)
  minutes = (time.monotonic() - start) / 60
  return f"*Run in {minutes:.0f} minutes on {os.cpu_count()} CPU cores.*"


def page(notebook: Any, name: str, *, note: str) -> dict[str, Any]:
  """The page of a notebook and its pictures, by the names of their files."""
  parts, pictures = [], {}
  for cell in notebook.cells:
    if cell.cell_type == "markdown":
      parts.append(cell.source)
      continue
    parts.append(fenced(cell.source, "python"))
    for text, picture in outputs(cell):
      if picture:
        file = f"{name}_{len(pictures)}.png"
        pictures[file] = picture
        text = f"![output]({file})"
      parts.append(text)
  title, *rest = parts
  return {f"{name}.md": "\n\n".join([title, note, *rest]) + "\n", **pictures}


def outputs(cell: Any) -> Iterator[tuple[str, bytes]]:
  """What a cell has printed, as text, and its pictures, without text."""
  for output in cell.get("outputs", []):
    data = output.get("data", {})
    if "image/png" in data:
      yield "", base64.b64decode(data["image/png"])
    elif printed := output.get("text") or data.get("text/plain"):
      if "widget-view" not in str(data.keys()):
        yield fenced(last_lines(printed), "text"), b""


def last_lines(printed: str) -> str:
  """The last lines of a text, without those that others were written over."""
  kept = [x.split("\r")[-1] for x in printed.rstrip().split("\n")]
  plain = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", x) for x in kept]
  return "\n".join(plain[-MOST_LINES:])


def fenced(text: str, language: str) -> str:
  """A block of code."""
  return f"````{language}\n{text}\n````"
