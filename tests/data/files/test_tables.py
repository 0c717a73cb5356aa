"""Tables are read as spreadsheets and programs write them, or refused."""

import unicodedata

import pytest

from jaxgen.data.files import tables
from jaxgen.errors import UserError

NAMES = [f"{i}.png" for i in range(4)]
ROWS = [(name, "ab"[i % 2]) for i, name in enumerate(NAMES)]


def read(root, text, names=NAMES, encoding="utf-8"):
  path = root / "index.csv"
  path.write_bytes(text.encode(encoding))
  return tables.match(tables.read_table(path), root, names)


def table(rows=ROWS, separator=",", header=("file", "label"), end="\n"):
  return end.join(separator.join(row) for row in [header, *rows]) + end


@pytest.mark.parametrize("separator", [",", ";", "\t", ", ", " ; "])
@pytest.mark.parametrize(
  "header", [("file", "label"), (" File", "LABEL "), ("filename", "Class")]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_separators_headers_and_ends_of_lines(tmp_path, separator, header, end):
  matches = read(tmp_path, table(ROWS, separator, header, end))
  assert matches.labels == ["a", "b", "a", "b"]
  assert not matches.without_row and not matches.without_file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("first", ["", "sep=;\n", "SEP=;\r\n", '"sep=;"\n'])
def test_byte_order_marks_and_lines_that_name_the_separator(
  tmp_path, encoding, first
):
  text = first + table(separator=";")
  assert read(tmp_path, text, encoding=encoding).labels == ["a", "b"] * 2


def test_a_line_names_a_separator_that_is_not_guessed(tmp_path):
  text = "sep=|\n" + table(separator="|")
  assert read(tmp_path, text).labels == ["a", "b"] * 2


def test_quoted_cells_may_have_separators_and_spaces_after_them(tmp_path):
  rows = [("a;b.png", "x"), ("c, d.png", "y, z")]
  text = '"file" , "label"\n"a;b.png" ,"x"\n"c, d.png", "y, z"\n'
  matches = read(tmp_path, text, [name for name, _ in rows])
  assert matches.labels == ["x", "y, z"]


@pytest.mark.parametrize(
  "written",
  [
    *("./{0}.png", "images/{0}.png", "{0}", " {0}.png ", ".\\{0}.png"),
    *("{0}.PNG", "Images/{0}.png", "a/../{0}.png", "{root}/{0}.png"),
  ],
)
@pytest.mark.parametrize("folder", ["", "images/"])
def test_paths_in_many_forms(tmp_path, written, folder):
  if "mages" in written and not folder:
    return
  rows = [
    (written.format(i, root=tmp_path), x) for i, (_, x) in enumerate(ROWS)
  ]
  names = [folder + name for name in NAMES]
  if "root" in written and folder:
    rows = [
      (f"{tmp_path}/{n}", x) for n, (_, x) in zip(names, ROWS, strict=True)
    ]
  assert read(tmp_path, table(rows), names).labels == ["a", "b"] * 2


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_in_both_unicode_forms(tmp_path, forms):
  (one, two) = (unicodedata.normalize(form, "é.png") for form in forms)
  assert read(tmp_path, table([(one, "x")]), [two]).labels == ["x"]


def test_letter_case_counts_where_names_differ_by_it(tmp_path):
  rows = [("a.png", "x"), ("A.png", "y"), ("B.png", "z")]
  names = ["A.png", "a.png", "b.png"]
  assert read(tmp_path, table(rows), names).labels == ["y", "x", "z"]
  matches = read(tmp_path, table(rows[:1]), names[:2])
  assert matches.labels == ["", "x"] and matches.without_row == ["A.png"]


@pytest.mark.parametrize("missing", ["", " ", "NaN", "nan", "-1", "-1.0"])
def test_labels_that_say_that_there_is_none(tmp_path, missing):
  rows = [(NAMES[0], missing), (NAMES[1], " 2.0 "), (NAMES[2], "10")]
  matches = read(tmp_path, table(rows))
  assert matches.labels == ["", "2", "10", ""]
  assert matches.without_row == [NAMES[3]]


def test_names_of_classes_are_kept_but_for_spaces(tmp_path):
  rows = [(NAMES[0], " 1.0"), (NAMES[1], "v 1.5 ")]
  assert read(tmp_path, table(rows), NAMES[:2]).labels == ["1.0", "v 1.5"]


def test_partners_that_are_missing_are_named(tmp_path):
  rows = [*ROWS[:2], ("gone.png", "a")]
  matches = read(tmp_path, table(rows))
  assert matches.without_file == ["gone.png"]
  assert matches.without_row == ["2.png", "3.png"]


@pytest.mark.parametrize(
  ("text", "named"),
  [
    ("picture,kind\n0.png,a\n", "'picture', 'kind'"),
    ("file label\n0.png a\n", "'file label'"),
    ("0.png,a\n1.png,b\n", "'0.png', 'a'"),
    ("label\na\n", "'label'"),
    ("", "empty"),
    ("file,label\n0.png,a,b\n", "file, label"),
    ("file,label\n0.png,a\n./0.png,b\n", "0.png"),
  ],
)
def test_tables_that_are_not_understood_are_refused(tmp_path, text, named):
  with pytest.raises(UserError, match=f"index.csv.*{named}"):
    read(tmp_path, text)


def test_a_table_of_other_columns_has_no_labels(tmp_path):
  (tmp_path / "index.csv").write_text("file,area\n0.png,2\n")
  found = tables.read_table(tmp_path / "index.csv")
  assert not found.label and found.columns == ("file", "area")
