"""Pages escape the text that they contain."""

import numpy as np

from jaxgen.report import html

HOSTILE = "<script>alert('x')</script>&\"'"


def test_a_page_escapes_what_it_is_given(tmp_path):
  cells = [[html.Cell(text=HOSTILE, value=HOSTILE, interval=HOSTILE)]]
  picture = np.zeros((2, 2, 3), np.uint8)
  parts = [
    html.table([HOSTILE], cells, sorts=True),
    html.paragraph(HOSTILE, "soft"),
    html.figure(picture, HOSTILE),
  ]
  path = tmp_path / "page.html"
  html.write_page(path, HOSTILE, parts, facts={HOSTILE: HOSTILE})
  found = path.read_text()
  assert found.count("<script") == 1 and "alert('x')" not in found
  assert found.count("data:image/png;base64,") == 1
