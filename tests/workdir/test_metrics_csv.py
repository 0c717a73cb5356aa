import numpy as np

from jaxgen.workdir.metrics_csv import read_rows

HEAD = "step,images,loss\r\n"
LINES = [f"{i},{i * 32},0.{i}2345\r\n" for i in (9, 12, 150)]


def write(path, text):
  path.write_bytes(text.encode())
  return read_rows(path)


def steps(rows):
  return [int(row["step"]) for row in rows]


def test_a_file_cut_anywhere_gives_the_rows_before_the_cut(tmp_path):
  path, text = tmp_path / "metrics.csv", HEAD + "".join(LINES)
  whole = write(path, text)
  assert steps(whole) == [9, 12, 150]
  for length in range(len(text)):
    rows = write(path, text[:length])
    assert rows == whole[: len(rows)]
    ends = [len(HEAD + "".join(LINES[:n])) for n in range(1, 4)]
    assert len(rows) >= sum(length >= end for end in ends)


def test_where_steps_start_again_the_new_rows_stand(tmp_path):
  again = ["12,384,7\r\n", "13,416,8\r\n"]
  rows = write(tmp_path / "m.csv", HEAD + "".join(LINES + again))
  assert steps(rows) == [9, 12, 13]
  assert [row["loss"] for row in rows][1:] == ["7", "8"]


def test_rubbish_is_no_row(tmp_path):
  path = tmp_path / "m.csv"
  assert read_rows(path) == []
  for seed in range(20):
    path.write_bytes(np.random.default_rng(seed).bytes(2000))
    assert read_rows(path) == []
  long = f'"{"x" * 200_000}",1,2\r\n'  # more than a field of csv can be
  assert steps(write(path, HEAD + LINES[0] + long)) == [9]
