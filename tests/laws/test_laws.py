import dataclasses

import pytest

from jaxgen import laws
from jaxgen.cli.main import main


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.name)
def test_it_holds(law):
  assert law.holds(law.measured())
  assert not law.holds(float("nan"))


def test_doctor_shows_every_law_and_finds_a_wrong_one(monkeypatch, capsys):
  few = [law for law in laws.LAWS if "sigma" in law.name]
  monkeypatch.setattr(laws, "LAWS", few)
  monkeypatch.setenv("COLUMNS", "200")
  assert main(["doctor"]) == 0
  said = capsys.readouterr().out
  assert all(law.name in said for law in few) and "WRONG" not in said
  bad = dataclasses.replace(few[0], expected=few[0].expected + 1)
  monkeypatch.setattr(laws, "LAWS", [bad, *few[1:]])
  assert main(["doctor"]) == 1
  said = capsys.readouterr().out
  assert "WRONG" in said and f"{len(few) - 1} of {len(few)} laws hold" in said
