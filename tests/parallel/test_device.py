"""What a device can do; there is no GPU here, so devices are stand-ins."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.build import compute_dtype
from jaxgen.parallel import device


@pytest.mark.parametrize(
  "platform, capability, expected",
  [
    ("cpu", None, False),
    ("tpu", None, True),
    ("gpu", "7.0", False),  # V100
    ("gpu", "7.5", False),  # T4
    ("gpu", "8.0", True),  # A100
    ("gpu", "9.0", True),  # H100
    ("gpu", "12.0", True),
    ("gpu", "gfx90a", False),
  ],
)
def test_bfloat16_needs_hardware(monkeypatch, platform, capability, expected):
  fake = types.SimpleNamespace(compute_capability=capability)
  if capability is None:
    del fake.compute_capability
  monkeypatch.setattr(jax, "default_backend", lambda: platform)
  monkeypatch.setattr(jax, "local_devices", lambda: [fake])
  want = jnp.bfloat16 if expected else jnp.float32
  assert compute_dtype("auto") == want
  assert compute_dtype("bfloat16") == jnp.bfloat16


def test_an_attention_is_tried_while_a_function_is_traced():
  tried = []

  @jax.jit
  def traced(x):
    for name in ("xla", "cudnn"):
      attend = device.attention(name)
      tried.append(device.runs(attend, np.dtype("bfloat16"), 16))
    return x

  traced(1.0)
  assert tried == [True, False]  # no cuDNN on CPU


def test_an_attention_with_infinite_values_does_not_work():
  wrong = lambda q, k, v: q / 0.0 + k + v  # noqa: E731
  assert not device.runs(wrong, np.dtype("float32"), 8)


def test_fused_attention_is_tried_once(monkeypatch):
  calls = []
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  monkeypatch.setattr(device, "runs", lambda *_: calls.append(0) or True)
  device.has_cudnn_attention.cache_clear()
  for _ in range(3):
    assert device.has_cudnn_attention(np.dtype("bfloat16"), 64)
  assert len(calls) == 1
  device.has_cudnn_attention.cache_clear()


def test_there_is_no_fused_attention_on_cpu():
  assert not device.has_cudnn_attention(np.dtype("bfloat16"), 64)
