"""Messages about many files give counts by reason, and a few names."""

from jaxgen.formats import problems

BOMB = "z.png: too large (9 x 9)"


def test_few_names_are_all_shown():
  assert problems.listed(["a", "b"]) == "a, b"
  assert problems.listed(list("abcde")) == "a, b, c, d, e"


def test_of_many_names_five_are_shown_and_the_others_counted():
  names = [f"{i}.png" for i in range(1600)]
  shown = problems.listed(names)
  assert shown.startswith("0.png, 1.png, 2.png, 3.png, 4.png")
  assert "1,595" in shown and "5.png" not in shown.replace("1,595", "")


def test_files_are_counted_by_reason_without_their_details():
  small = [f"{i}.png: too small ({i} x 3)" for i in range(3)]
  found = problems.by_reason([BOMB, *small])
  assert list(found.items()) == [
    ("too small", ["0.png", "1.png", "2.png"]),
    ("too large", ["z.png"]),
  ]


def test_an_error_over_many_files_shows_every_reason():
  small = [f"{i}.png: too small ({i} x 3)" for i in range(1600)]
  message = str(problems.report_bad([*small, BOMB], "Remove them."))
  assert "1,601" in message and "1,600 too small" in message
  assert BOMB in message and message.count(".png") == 5
  assert message.endswith("Remove them.")
