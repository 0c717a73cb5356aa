"""Links, commands, fields and modules in the documentation exist."""

import os
import pathlib
import re
import runpy
import subprocess
import sys
import types
from unittest import mock

import pytest
from support import markdown

import jaxgen
from jaxgen.cli.main import VERBS, Parser
from jaxgen.config.files import load_config
from jaxgen.config.overrides import flatten

ROOT = pathlib.Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
PAGES = [*GUIDES, ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/api/*.md"))]
EVERY = [*PAGES, ROOT / "CHANGELOG.md"]
CONDITIONS = {"--class", "--color_scheme", "--rock_type"}
CONDITIONS |= {"--texture_pattern", "--zoom_level"}
LARGEST = 1 << 20  # bytes of a picture
NAME = lambda x: x.relative_to(ROOT).as_posix()  # noqa: E731
of_pages = pytest.mark.parametrize("page", PAGES, ids=NAME)


def parser(verb: str) -> Parser:
  """A verb's, as the command line builds it."""
  found = Parser(prog=f"jaxgen {verb}")
  VERBS[verb].add_flags(found)
  return found


def flags(verb: str) -> set[str]:
  return set(parser(verb)._option_string_actions)


@pytest.fixture(scope="module")
def fields() -> set[str]:
  """Every `section.field` that the packaged configs know."""
  files = sorted(ROOT.glob("configs/*.py"))
  return {
    x for file in files for x in flatten(load_config(str(file), []).to_dict())
  }


@pytest.mark.parametrize("page", EVERY, ids=NAME)
def test_links_and_pictures_resolve(page):
  for link in markdown.links(page.read_text()):
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    assert target.exists(), link
    assert not anchor or anchor in markdown.anchors(target), link


def test_the_readme_lists_every_verb():
  table = (ROOT / "README.md").read_text().partition("## Verbs")[2]
  named = {x for span in markdown.spans(table) for x in span.split()}
  assert set(VERBS) <= named


def test_pictures_are_small():
  pictures = [*ROOT.glob("docs/images/*")]
  assert pictures
  for picture in pictures:
    assert picture.stat().st_size < LARGEST, picture


@of_pages
def test_commands_are_understood(page, monkeypatch):
  """Each `jaxgen VERB ...` of a code block parses, its config loads, and the
  fields that it sets are there."""
  monkeypatch.chdir(ROOT)
  for verb, *rest in markdown.commands(page.read_text(), "jaxgen "):
    args, more = parser(verb).parse_known_args(rest)
    if hasattr(args, "takes_more"):
      assert {x.partition("=")[0] for x in more} <= CONDITIONS
    elif verb == "sweep":
      assert not more
      assert not args.config or pathlib.Path(args.config.split(":")[0]).exists()
    elif getattr(args, "config", None):
      load_config(args.config, more)
    else:
      assert not more


@of_pages
def test_flags_in_the_text_exist(page, fields):
  """Inline code that begins with a flag, or with `jaxgen VERB`."""
  every = CONDITIONS.union(*map(flags, VERBS), flags_of_scripts())
  wrong = []
  for span in markdown.spans(page.read_text()):
    words = span.split()
    if words[0] == "jaxgen" and len(words) > 1 and words[1] in VERBS:
      known = flags(words[1])
    elif words[0].startswith("--"):
      known = every
    else:
      continue
    found = re.findall(r"(?<=\s)--[\w.]+", f" {span}")
    known = known | {f"--config.{x}" for x in fields}
    wrong += [x for x in found if x not in known and not placeholder(x)]
  assert not wrong


def placeholder(text: str) -> bool:
  """Whether a text stands for others, as SECTION.FIELD does."""
  return re.search(r"\b[A-Z]{2,}\b", text) is not None


def flags_of_scripts() -> set[str]:
  texts = [x.read_text() for x in ROOT.glob("scripts/*.py")]
  return {x for text in texts for x in re.findall(r'"(--\w+)"', text)}


@of_pages
def test_fields_in_the_text_exist(page, fields):
  """Inline code such as `data.crop` or `data.crop=whole`."""
  sections = {x.partition(".")[0] for x in fields if "." in x}
  spans = markdown.spans(page.read_text())
  found = [re.match(r"(\w+)\.(\w+)(?=$|=)", x) for x in spans]
  named = {x[0] for x in found if x and x[1] in sections and x[2] != "py"}
  assert not named - fields


@of_pages
def test_files_in_the_text_exist(page):
  """Inline code such as `jaxgen/data/sources.py` or `configs/x.py:demo`."""
  tops = "jaxgen|configs|scripts|tests|notebooks|docs"
  pattern = re.compile(rf"((?:{tops})/[\w./]*)(?::\w+)?")
  found = map(pattern.fullmatch, markdown.spans(page.read_text()))
  named = {x[1] for x in found if x and not placeholder(x[1])}
  assert not {x for x in named if not (ROOT / x).exists()}


@of_pages
def test_configs_and_variants_in_the_text_exist(page):
  """Inline code such as `rocks_ae:demo` or `configs/rocks_ae.py:demo`."""
  names = {x.stem: x for x in ROOT.glob("configs/*.py")}
  for span in markdown.spans(page.read_text()):
    name = re.fullmatch(r"(?:configs/)?(\w+)(?:\.py)?:(\w+)", span)
    if name and not placeholder(span):
      assert name[1] in names, span
      load_config(f"{names[name[1]]}:{name[2]}", [])


@of_pages
def test_targets_of_make_exist(page):
  targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
  text = page.read_text()
  found = [words[0] for words in markdown.commands(text, "make ")]
  found += [x.split()[1] for x in markdown.spans(text) if x[:5] == "make "]
  assert set(found) <= {*targets}


@of_pages
def test_python_examples_compile(page):
  """And what they take from `jaxgen` is there."""
  for code in markdown.blocks(page.read_text(), "python"):
    compile(code, page.name, "exec")
    for name in re.findall(r"\bjaxgen\.(\w+)\(", code):
      assert callable(getattr(jaxgen, name)), name


@pytest.mark.slow
def test_python_of_the_readme_runs(denoiser, tmp_path, monkeypatch):
  (tmp_path / "runs").mkdir()
  (tmp_path / "runs/rocks").symlink_to(denoiser)
  monkeypatch.chdir(tmp_path)
  codes = markdown.blocks((ROOT / "README.md").read_text(), "python")
  assert codes
  for code in codes:
    exec(compile(code, "README.md", "exec"), {})


def test_one_version():
  citation = (ROOT / "CITATION.cff").read_text()
  changelog = (ROOT / "CHANGELOG.md").read_text()
  assert f"\nversion: {jaxgen.__version__}\n" in citation
  assert f"\n## [{jaxgen.__version__}]" in changelog
  assert "\n## [Unreleased]\n" in changelog


def test_pypi_gets_absolute_addresses():
  setuptools = mock.Mock(spec=types.ModuleType("setuptools"), setup=mock.Mock())
  with mock.patch.dict(sys.modules, setuptools=setuptools):
    runpy.run_path(str(ROOT / "setup.py"))
  text = setuptools.setup.call_args.kwargs["long_description"]
  picture = "docs/images/gallery/textures_patch_ae.jpg"
  tag = f"jaxgen/jaxgen/v{jaxgen.__version__}/{picture}"
  assert f"(https://raw.githubusercontent.com/{tag})" in text
  assert f"/blob/v{jaxgen.__version__}/docs/data.md)" in text
  assert not markdown.links(text)


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path):
  """And nothing that a page shows or runs comes from elsewhere."""
  build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
  quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
  subprocess.run(
    [*build, "--site-dir", tmp_path], check=True, cwd=ROOT, env=quiet
  )
  pages = sorted(tmp_path.rglob("*.html"))
  assert len(pages) > len(GUIDES)
  for page in pages:
    text = page.read_text()
    assert not re.findall(r'<(?:script|img)[^>]* src="https?:', text), page
    assert not re.findall(r'rel="stylesheet"[^>]*href="https?:', text), page
