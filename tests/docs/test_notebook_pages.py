"""Pages of notebooks: what their cells print and draw is on them."""

import re

import nbformat
import notebook_pages
from nbformat import v4

DRAWING = """\
import os
import matplotlib.pyplot as plt
print("over\\rwritten", os.environ["JAXGEN_WORKDIR"], flush=True)
print("and more")
plt.plot([1, 2]);"""


def test_a_notebook_that_was_run_shows_its_outputs(monkeypatch):
  monkeypatch.delenv("JAXGEN_WORKDIR", raising=False)
  cells = [
    v4.new_markdown_cell("# A title"),
    v4.new_code_cell("6 * 7"),
    v4.new_code_cell(DRAWING),
  ]
  notebook = v4.new_notebook(cells=cells)
  note = notebook_pages.executed(notebook, "name")
  found = notebook_pages.page(notebook, "name", note=note)
  text = found.pop("name.md")
  assert re.match(r"# A title\n\n\*Run in \d+ minutes on", text)
  assert "````python\n6 * 7\n````\n\n````text\n42\n````" in text
  assert (
    "````text\nwritten /" in text
    and "/name\nand more\n````" in text
    and "over\r" not in text
  )
  assert "![output](name_0.png)" in text
  (picture,) = found.values()
  assert picture.startswith(b"\x89PNG")


def test_a_page_has_the_last_lines_of_what_is_printed():
  output = v4.new_output("stream", text="\n".join(map(str, range(100))) + "\n")
  cell = v4.new_code_cell("x", outputs=[output])
  ((text, picture),) = notebook_pages.outputs(cell)
  assert not picture
  assert text.splitlines()[1:-1] == [str(i) for i in range(70, 100)]
  assert nbformat.validate(v4.new_notebook(cells=[cell])) is None
