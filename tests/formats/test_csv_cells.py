"""Cells that spreadsheets take as text."""

import csv

import pytest

from jaxgen.formats.csv_cells import ENCODING, cell


@pytest.mark.parametrize(
  "text", ["=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "\r=1", "=", "-1e", "--5"]
)
def test_text_that_begins_like_a_formula_is_escaped(text):
  assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
  "value", ["-1", "-1.5e-3", "+2", "-inf", "a=b", "", "x", -1, -2.5, None, 3]
)
def test_numbers_and_other_text_are_as_they_were(value):
  assert cell(value) == value


def test_names_that_are_not_utf_8_survive(tmp_path):
  name = b"=caf\xe9".decode(errors="surrogateescape")
  path = tmp_path / "a.csv"
  with path.open("w", newline="", **ENCODING) as file:
    csv.writer(file).writerow([cell(name), 1])
  assert path.read_bytes() == b"'=caf\xe9,1\r\n"
