"""Progress of a verb is on standard error, and only there."""

import io

from rich.console import Console

from jaxgen import progress
from jaxgen.cli.progress_display import LiveLines, PlainLines


def test_a_plain_line_appears_at_most_every_ten_seconds(capsys):
  now = [0.0]
  clock = lambda: now[0]  # noqa: E731
  with progress.displayed(PlainLines(clock=clock), clock=clock):
    with progress.loop("comparing", 4, unit="runs") as outer:
      for _ in range(2):
        with progress.loop("sampling", 1000) as advance:
          for _ in range(100):
            now[0] += 0.125
            advance(10)
        outer()
  out, err = capsys.readouterr()
  assert out == ""
  assert err.splitlines() == [
    "comparing 0/4 runs, 0:10 so far: sampling 800/1,000 images, 0:02 left",
    "comparing 1/4 runs, 0:30 left: sampling 600/1,000 images, 0:05 left",
  ]


def test_a_quick_verb_says_nothing(capsys):
  with progress.displayed(PlainLines()):
    assert list(progress.each("reading", [1, 2, 3])) == [1, 2, 3]
  assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_every_loop_and_no_more_at_the_end():
  file = io.StringIO()
  console = Console(file=file, force_terminal=True, width=100)
  display = LiveLines(console)
  with progress.displayed(display):
    with progress.loop("comparing", 4, unit="runs") as advance:
      advance()
      with progress.loop("a long name " * 5):
        console.print(display._table())
      assert display._live is not None
    assert display._live is None
  shown = file.getvalue()
  assert "comparing 1/4 runs" in shown and "a long name " * 5 in shown
