"""Sampling options are resolved to indices of values."""

import unicodedata

import pytest

from jaxgen.errors import UserError
from jaxgen.sample.condition_values import value_index

FORMS = ("NFC", "NFD", "NFKC", "NFKD")


@pytest.mark.parametrize("stored", FORMS)
@pytest.mark.parametrize("given", FORMS)
def test_a_class_is_found_in_any_unicode_form(stored, given):
  names = ["granite", "gneiß", "café", "ﬁne", "fin"]
  values = [unicodedata.normalize(stored, x) for x in names]
  for index, name in enumerate(names):
    value = unicodedata.normalize(given, name)
    assert value_index(values, value, "--class") == index


def test_values_that_differ_by_form_alone_are_kept_apart():
  assert value_index(["m2", "m²"], "m²", "--class") == 1
  assert value_index(["m2", "m²"], "m2", "--class") == 0
  with pytest.raises(UserError, match="--class=m"):
    value_index(["m2", "m²"], "m₂", "--class")
