"""What a Markdown page contains: code, links and headings."""

from __future__ import annotations

import pathlib
import re
import shlex

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def blocks(text: str, *languages: str) -> list[str]:
  """Fenced code of one of the languages ("": none is named)."""
  return [code for name, code in FENCE.findall(text) if name in languages]


def spans(text: str) -> list[str]:
  """Inline code, each on one line."""
  return [" ".join(x.split()) for x in SPAN.findall(FENCE.sub("", text))]


def commands(text: str, program: str) -> list[list[str]]:
  """Command lines of a program in the shell blocks, as arguments."""
  code = "\n".join(blocks(text, "", "bash")).replace("\\\n", " ")
  lines = [line for line in code.splitlines() if line.startswith(program)]
  return [shlex.split(line, comments=True)[1:] for line in lines]


def links(text: str) -> list[str]:
  """Targets of links and pictures that are not on the web."""
  found = LINK.findall(FENCE.sub("", text))
  return [x for x in found if not x.startswith(("https:", "http:"))]


def anchors(path: pathlib.Path) -> set[str]:
  """What `#...` may follow a page's address, as GitHub makes it of headings."""
  titles = HEADING.findall(FENCE.sub("", path.read_text()))
  plain = [re.sub(r"[^\w\- ]", "", x.lower()) for x in titles]
  return {x.strip().replace(" ", "-") for x in plain}
