"""Checks of numbers: versions, laws, attention, another device, features."""

from __future__ import annotations

import functools
import itertools
import platform
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxgen
from device_checks.check import NotApplicable, Options, Result, experiment
from device_checks.reference import Attention, attention, relative_error
from jaxgen import rng
from jaxgen.errors import UserError
from jaxgen.laws import LAWS
from jaxgen.metrics import backbones, inception
from jaxgen.metrics.features import prepare
from jaxgen.metrics.perceptual_weights import load_weights
from jaxgen.models.attention import attend, attention_tracing
from jaxgen.parallel import device
from jaxgen.parallel.precision import Precision, measured
from jaxgen.train.programs import stage_programs
from jaxgen.train.stage import StageProgram
from jaxgen.train.step import gradients, loss_inputs

PRECISIONS: tuple[Precision, ...] = ("highest", "default")
FEW_LAWS = 6  # of the smallest check
HEADS = 2
TOKENS = (64, 1024, 1025, 2304)  # beyond 1024 it is in chunks or fused
HEAD_DIMS = (16, 32, 64, 128)
# Largest error relative to the norm; float32 is rounded to TF32 on GPUs and to
# bfloat16 on TPUs.
FLOAT32 = {"cpu": 1e-5, "gpu": 5e-3, "tpu": 3e-2}
BFLOAT16 = 3e-2
SAME = 1e-4  # between devices in full float32


def versions(options: Options) -> Result:
  """Device and versions."""
  first = jax.local_devices()[0]
  memory = (first.memory_stats() or {}).get("bytes_limit")
  fused = device.has_cudnn_attention(np.dtype("bfloat16"), 64)
  values = {
    "devices": device.label(),
    "platform": device.platform(),
    "compute_capability": getattr(first, "compute_capability", None),
    "memory_gib": memory and memory / 2**30,
    "computes_in_bfloat16": device.computes_in_bfloat16(),
    "cudnn_attention": fused,
    "jaxgen": jaxgen.__version__,
    "jax": jax.__version__,
    "python": platform.python_version(),
    "environment": jax.print_environment_info(return_string=True),
  }
  auto = "bfloat16" if device.computes_in_bfloat16() else "float32"
  summary = (
    f"{device.label()}, JAX {jax.__version__}; dtype=auto is {auto}, "
    f"attention is {'fused' if fused else 'in chunks'}"
  )
  return Result(holds=True, summary=summary, values=values)


def doctor(options: Options) -> Result:
  """All laws in both precisions; only `highest` has to hold."""
  laws = LAWS[:FEW_LAWS] if options.smallest else LAWS
  numbers = {
    precision: {law.name: law.measured(precision) for law in laws}
    for precision in PRECISIONS
  }
  wrong = {
    precision: [x.name for x in laws if not x.holds(numbers[precision][x.name])]
    for precision in PRECISIONS
  }
  summary = ", ".join(
    f"{precision}: {len(laws) - len(wrong[precision])} of {len(laws)} hold"
    for precision in PRECISIONS
  )
  values = {"wrong": wrong, "measured": numbers}
  return Result(holds=not wrong["highest"], summary=summary, values=values)


class Shape(NamedTuple):
  """The inputs of an attention."""

  dtype: str
  tokens: int
  head_dim: int


def attentions(options: Options) -> Result:
  """Attention with gradients and forward derivatives, against NumPy in
  float64."""
  shapes = [
    Shape(*x)
    for x in itertools.product(("float32", "bfloat16"), TOKENS, HEAD_DIMS)
  ]
  if options.smallest:
    shapes = [Shape("float32", 64, 16), Shape("float32", 1025, 16)]
  errors = {x: attention_error(x) for x in options.parts(shapes, smallest=2)}
  limits = {
    "float32": FLOAT32[device.platform()],
    "bfloat16": BFLOAT16,
  }
  wrong = [x for x, error in errors.items() if not error <= limits[x.dtype]]
  largest = {
    dtype: max(e for x, e in errors.items() if x.dtype == dtype)
    for dtype in dict.fromkeys(x.dtype for x in errors)
  }
  text = ", ".join(f"{k} {v:.1e}" for k, v in largest.items())
  return Result(
    holds=not wrong,
    summary=f"{len(errors)} of {len(shapes)} shapes, largest errors: {text}",
    values={
      "errors": {str(tuple(k)): v for k, v in errors.items()},
      "limits": limits,
      "wrong": [str(tuple(x)) for x in wrong],
    },
  )


def attention_error(shape: Shape) -> float:
  """The largest error of the result, its gradients and its forward derivative,
  each relative to its norm."""
  generator = np.random.default_rng(0)
  size = (1, shape.tokens, HEADS, shape.head_dim)
  draw = lambda: jnp.asarray(generator.normal(size=size), shape.dtype)  # noqa: E731
  inputs = Attention(*(draw() for _ in range(3)))
  tangents, cotangent = Attention(*(draw() for _ in range(3))), draw()
  results = jax.jit(derivatives)(inputs, tangents, cotangent)
  exact = attention(*jax.tree.map(_float64, (inputs, tangents, cotangent)))
  errors = jax.tree.map(relative_error, tuple(results), tuple(exact))
  return max(jax.tree.leaves(errors))


def _float64(x: Any) -> np.ndarray:
  return np.asarray(x.astype(jnp.float32), np.float64)


def derivatives(inputs: Any, tangents: Any, cotangent: Any) -> Any:
  """Attention, its gradients, and its derivative along tangents."""
  value, pull = jax.vjp(attend, *inputs)
  with attention_tracing("forward_mode"):
    _, moved = jax.jvp(attend, tuple(inputs), tuple(tangents))
  return value, pull(cotangent), moved


def other_device(options: Options) -> Result:
  """The same seed on the CPU and on this device: initial parameters, loss and
  gradient, in full float32."""
  names = ("textures_patch_ae.py:smoke", "rocks_edm.py:smoke")
  if _cpu() == jax.devices()[-1]:
    raise NotApplicable("this device is the CPU")
  errors = {name: _differences(name) for name in options.parts(names)}
  largest = max(max(x.values()) for x in errors.values())
  both = f"CPU and {jax.devices()[0].device_kind}"
  return Result(
    holds=largest < SAME,
    summary=f"{both}, relative differences up to {largest:.1e}",
    values=errors,
  )


def _cpu() -> Any:
  """The first CPU device.

  Raises:
    NotApplicable: there is none.
  """
  try:
    return jax.devices("cpu")[0]
  except RuntimeError as e:
    raise NotApplicable("JAX_PLATFORMS excludes the CPU") from e


def _differences(name: str) -> dict[str, float]:
  options = experiment(name, model__dtype="float32", data__workers=0)
  ends = []
  for devices in ([_cpu()], jax.devices()[-1:]):
    ends.append(_first_gradient(stage_programs(options, devices=devices)[0]))
  flat = [
    {
      k: np.concatenate(
        [x.ravel() for x in map(np.asarray, jax.tree.leaves(v))]
      )
      for k, v in end.items()
    }
    for end in ends
  ]
  return {k: relative_error(flat[1][k], flat[0][k]) for k in flat[0]}


@measured
def _first_gradient(program: StageProgram) -> dict[str, Any]:
  state, task = program.fresh_state(), program.task
  batches = program.batches(0)
  batch = next(batches)
  batches.close()
  key = jax.device_put(rng.stream(0, "check"), program.layout.replicated)
  compute = functools.partial(
    gradients, task.loss, inputs=loss_inputs(task, state), parts=1
  )
  metrics, grads = jax.jit(lambda p, b, k: compute(p, b, key=k))(
    state.params, batch, key
  )
  loss = metrics["loss"]
  return {"parameters": state.params, "loss": loss, "gradient": grads}


def features(options: Options) -> Result:
  """Features of VGG16 and Inception in both precisions, against the CPU."""
  images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
  errors = {
    name: {p: _feature_error(network, images, p) for p in PRECISIONS}
    for name, network in options.parts(networks(options.inception_weights))
  }
  text = "; ".join(
    f"{name}: " + ", ".join(f"{p} {e:.1e}" for p, e in by_precision.items())
    for name, by_precision in errors.items()
  )
  missing = "" if options.inception_weights else "; Inception: no weight file"
  return Result(
    holds=all(x["highest"] < SAME for x in errors.values()),
    summary=f"{text}{missing}",
    values=errors,
  )


def networks(inception_weights: str) -> Iterator[tuple[str, Callable]]:
  """Networks of features by name, from images in [-1, 1]; VGG16 has random
  weights if its own are not installed."""
  try:
    weights: Any = load_weights("vgg")
  except UserError:
    weights = random_weights()

  def vgg16(x: Any) -> Any:
    x = backbones.standardize(x)
    return backbones.stages(backbones.VGG16, weights, x)[-1].mean((1, 2))

  yield "VGG16", vgg16
  if inception_weights:
    yield "Inception", inception.inception(inception_weights)


def random_weights() -> dict[str, np.ndarray]:
  """Random weights of VGG16 that keep the scale of activations."""
  generator, weights = np.random.default_rng(0), {}
  for name, shape in backbones.shapes(backbones.VGG16).items():
    scale = (2 / max(np.prod(shape[:-1]), 200)) ** 0.5
    weights[name] = (scale * generator.normal(size=shape)).astype(np.float32)
  return weights


def _feature_error(
  network: Callable, images: np.ndarray, precision: Precision
) -> float:
  x = np.asarray(prepare(images))
  with jax.default_device(_cpu()):
    exact = measured(jax.jit(lambda x: network(x)))(x)
  with jax.default_matmul_precision(precision):
    found = jax.jit(lambda x: network(x))(x)
  return relative_error(np.asarray(found), np.asarray(exact))
