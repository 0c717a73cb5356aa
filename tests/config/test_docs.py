"""`docs/config.md` is generated from the sections."""

import subprocess
import sys

from support.configs import ROOT

from jaxgen.config import docs
from jaxgen.config.fields import field_comments
from jaxgen.config.models import MODELS
from jaxgen.config.parse import SECTIONS
from jaxgen.config.stages import Stage

PAGE = ROOT / "docs/config.md"


def test_the_page_is_up_to_date():
  """If not: python -m jaxgen.config.docs > docs/config.md"""
  assert PAGE.read_text() == docs.generate()


def test_the_command_prints_the_page():
  argv = [sys.executable, "-m", "jaxgen.config.docs"]
  found = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
  assert found.returncode == 0 and found.stdout == docs.generate()


def test_every_field_is_described():
  for cls in (*SECTIONS.values(), Stage, *MODELS.values()):
    assert all(field_comments(cls).values()), cls
