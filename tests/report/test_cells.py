from jaxgen.report import cells, charts, html


def test_a_run_has_the_color_that_it_has_in_charts():
  cell = cells.name_cell("b", {"a": 0, "b": 1})
  assert (cell.text, cell.color) == ("b", charts.color(1))


def test_a_number_is_sorted_by_its_value_not_by_its_text():
  cell = cells.number_cell({"mse": 0.01234}, "mse", ".2f")
  assert (cell.text, cell.value) == ("0.01", 0.01234)


def test_a_missing_measure_is_an_empty_cell():
  assert cells.number_cell({}, "mse", ".2f") == html.Cell()
