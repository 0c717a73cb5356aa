"""Messages of other libraries."""

import warnings

from jaxgen.cli import messages


def test_a_warning_is_one_line(monkeypatch):
  monkeypatch.setattr(warnings, "formatwarning", None)
  messages.quiet()
  line = warnings.formatwarning("left out 1 image", UserWarning, "x.py", 3)
  assert line == "warning: left out 1 image\n"
