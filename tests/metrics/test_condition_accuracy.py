"""A classifier distinguishes values that are separable in the features."""

import numpy as np

from jaxgen.metrics.condition_accuracy import (
  Classifier,
  Labeled,
  condition_accuracy,
)


def test_a_classifier_sees_what_is_there():
  rng = np.random.default_rng(0)
  values = rng.integers(0, 3, 300)
  x = np.eye(3)[values] * 4 + rng.normal(size=(300, 3))
  train, held = np.s_[:200], np.s_[200:]
  known = np.where(values < 3, values, -1)
  classifier = Classifier(Labeled(x[train], known[train]))
  labeled = Labeled(x[held], values[held])
  right = condition_accuracy(classifier, labeled, labeled)
  assert right.held_out == right.new > 0.9 and 0.3 < right.chance < 0.45
  other = Labeled(x[held], (values[held] + 1) % 3)
  wrong = condition_accuracy(classifier, labeled, other)
  assert wrong.new < 0.1
  unknown = np.where(np.arange(100) < 90, -1, values[held])
  few = condition_accuracy(classifier, labeled, Labeled(x[held], unknown))
  assert few.new == np.mean(few.seen[90:] == values[held][90:])
