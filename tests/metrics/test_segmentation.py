"""Scores of predicted labels, from confusion matrices."""

import jax.numpy as jnp
import numpy as np

from jaxgen.metrics.segmentation import accuracy, confusion, mean_iou

RNG = np.random.default_rng(0)


def test_scores_of_a_confusion_matrix_agree_with_scikit_learn():
  from sklearn.metrics import accuracy_score, jaccard_score

  logits = RNG.normal(size=(4, 8, 8, 5)).astype(np.float32)
  labels = RNG.integers(0, 4, (4, 8, 8))  # the last kind never occurs
  logits[..., 4] = -9.0  # nor is it predicted
  matrix = np.asarray(confusion(jnp.asarray(logits), jnp.asarray(labels))).sum(
    0
  )
  predicted = logits.argmax(-1).ravel()
  np.testing.assert_allclose(
    mean_iou(matrix), jaccard_score(labels.ravel(), predicted, average="macro")
  )
  np.testing.assert_allclose(
    accuracy(matrix), accuracy_score(labels.ravel(), predicted)
  )


def test_places_without_a_label_do_not_count():
  logits = jnp.asarray(RNG.normal(size=(1, 3, 3, 2)), jnp.float32)
  labels = jnp.full((1, 3, 3), 255)
  matrix = np.asarray(confusion(logits, labels)).sum(0)
  assert not matrix.any()
  assert np.isnan(accuracy(matrix))
  assert np.isnan(mean_iou(matrix))
