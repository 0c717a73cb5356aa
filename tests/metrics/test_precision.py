"""What is measured is computed in full float32; networks and losses are not."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import subjaxprs
from jax.lax import Precision
from support.programs import denoiser, program

from jaxgen.evaluation import reconstruction
from jaxgen.laws import LAWS
from jaxgen.metrics import features, perceptual
from jaxgen.metrics.backbones import VGG16, stages, standardize
from jaxgen.metrics.images import similarity
from jaxgen.metrics.segmentation import confusion
from jaxgen.parallel.precision import measured
from jaxgen.typing import LossInputs

PRODUCTS = ("dot_general", "conv_general_dilated")
FULL = (Precision.HIGHEST, Precision.HIGHEST)
options: Any = jax.config
IMAGES = jnp.zeros((2, 32, 32, 3))


def products(jaxpr: Any) -> Iterator[Any]:
  """The precision of each product and convolution, those of inner programs
  included."""
  for equation in jaxpr.eqns:
    if equation.primitive.name in PRODUCTS:
      yield equation.params["precision"]
  for inner in subjaxprs(jaxpr):
    yield from products(inner)


def precisions(function: Any, *args: Any) -> set[Any]:
  """All precisions in the program of a function."""
  found = set(products(jax.make_jaxpr(function)(*args).jaxpr))
  assert found, "there is no product in it"
  return found


def test_similarity_is_measured():
  assert precisions(similarity, IMAGES, IMAGES) == {FULL}
  assert precisions(jax.jit(similarity), IMAGES, IMAGES) == {FULL}
  labels = jnp.zeros((2, 32, 32), int)
  assert precisions(confusion, IMAGES, labels) == {FULL}


def test_lpips_is_full_as_a_metric_and_fast_as_a_loss(weights_of):
  path = weights_of("alex")
  metric = lambda a, b: perceptual.lpips(a, b, "alex", path)  # noqa: E731
  loss = perceptual.perceptual_distance("lpips_alex", path)
  assert precisions(metric, IMAGES, IMAGES) == {FULL}
  assert precisions(loss, IMAGES, IMAGES) == {None}
  assert precisions(measured(loss), IMAGES, IMAGES) == {FULL}
  assert precisions(loss, IMAGES, IMAGES) == {None}  # nothing stays behind


def test_lpips_of_an_evaluation_is_measured(monkeypatch, weights_of):
  found = []

  def seen(a, b):
    found.append(options.jax_default_matmul_precision)
    return jnp.zeros(len(a))

  monkeypatch.setattr(reconstruction, "perceptual_distance", lambda *_: seen)
  reconstruction.scorer(3)(np.zeros((2, 16, 16, 3)), np.zeros((2, 16, 16, 3)))
  assert found == ["highest"]


def test_features_are_measured(random_weights):
  weights, found = random_weights("vgg"), set()

  def network(x: Any) -> Any:
    last = lambda x: stages(VGG16, weights, standardize(x))[-1]  # noqa: E731
    found.update(precisions(last, jnp.asarray(x)))
    return np.zeros((len(x), 4))

  features._extract(network, np.zeros((2, 32, 32, 3), np.float32))
  assert found == {FULL}


def test_laws_are_measured_in_either_precision():
  seen = lambda: str(options.jax_default_matmul_precision)  # noqa: E731
  law: Any = dataclasses.replace(LAWS[0], measure=seen)
  assert law.measured() == "highest"
  assert law.measured("default") == "default"


def held_out(p: Any) -> set[Any]:
  """Precisions in the sums over the validation tiles."""
  batch, valid = next(iter(p.evaluator._batches))
  params = p.fresh_state().params
  return precisions(p.evaluator._sums, params, LossInputs(), batch, valid)


def test_sums_of_held_out_metrics_are_measured_and_networks_are_fast():
  p = program(1)
  assert held_out(p) == {None, FULL}  # the network; SSIM and the sums


@pytest.mark.parametrize("make", [program, denoiser])
def test_losses_are_fast(make):
  p = make(1)
  batch = {k: jnp.asarray(v) for k, v in p.evaluator._batches[0][0].items()}
  keys = jax.random.split(jax.random.key(0), len(batch["image"]))
  loss = lambda params: p.task.loss(params, batch, keys, LossInputs())  # noqa: E731
  assert precisions(loss, p.fresh_state().params) == {None}
