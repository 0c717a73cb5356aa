"""The long description for PyPI: README.md with absolute addresses.

Everything else is in pyproject.toml. The README has relative links and
pictures, so that it works on GitHub, in forks and on a disk; PyPI needs
absolute ones, of the tag that is released.
"""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).parent
REPOSITORY = "https://github.com/jaxgen/jaxgen"
RAW = "https://raw.githubusercontent.com/jaxgen/jaxgen"


def description() -> str:
  """README.md for PyPI."""
  init = (ROOT / "jaxgen" / "__init__.py").read_text()
  version = re.findall(r'^__version__ = "(.+)"$', init, re.MULTILINE)[0]
  text = (ROOT / "README.md").read_text()
  text = re.sub(r"(!\[[^]]*\]\()(?!https?:)", rf"\1{RAW}/v{version}/", text)
  return re.sub(
    r"((?<!!)\[[^]]*\]\()(?!https?:|#)",
    rf"\1{REPOSITORY}/blob/v{version}/",
    text,
  )


setuptools.setup(
  long_description=description(),
  long_description_content_type="text/markdown",
)
