import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models import attention


def _attention_float64(q, k, v):
  """Scaled dot-product attention (arXiv:1706.03762, eq. 1) in numpy."""
  q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
  logits = np.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(q.shape[-1])
  weights = np.exp(logits - logits.max(-1, keepdims=True))
  weights /= weights.sum(-1, keepdims=True)
  return np.einsum("bhqk,bkhd->bqhd", weights, v)


@pytest.mark.parametrize("gain", [1.0, 30.0, 1e4])
def test_attention_equals_float64_at_any_gain(gain):
  """Logits up to 1e9: the weights become one-hot, and none is NaN."""
  q, k, v = jax.random.normal(jax.random.key(0), (3, 2, 12, 2, 8))
  got = attention.attend(gain * q, gain * k, v)
  want = _attention_float64(gain * q, gain * k, v)
  np.testing.assert_allclose(got, want, atol=1e-6 * max(gain, 1) ** 0.5)


def test_gradient_of_attention_is_that_of_its_differences():
  point = jax.random.normal(jax.random.key(0), (3, 1, 5, 2, 4))
  along = jax.random.normal(jax.random.key(1), (3, 1, 5, 2, 4))
  total = lambda x: jnp.sum(jnp.sin(attention.attend(*x)))  # noqa: E731
  x, d = np.asarray(point, np.float64), np.asarray(along, np.float64)
  shifted = lambda t: np.sin(_attention_float64(*(x + t * d))).sum()  # noqa: E731
  want = (shifted(1e-4) - shifted(-1e-4)) / 2e-4
  got = jnp.vdot(jax.grad(total)(point), along)
  np.testing.assert_allclose(got, want, rtol=1e-4)
  np.testing.assert_allclose(jax.jvp(total, (point,), (along,))[1], want, 1e-4)


@pytest.mark.parametrize("n", [9, 12])
def test_attention_in_chunks_is_attention(n, monkeypatch):
  """Values, gradients and derivatives; 9 is no multiple of the chunk."""
  q, k, v = jax.random.normal(jax.random.key(0), (3, 2, n, 2, 4))
  total = lambda x: jnp.sum(jnp.sin(attention.attend(*x)))  # noqa: E731
  along = lambda x: jax.jvp(total, (x,), (x[::-1],))  # noqa: E731
  all_of = lambda x: (attention.attend(*x), jax.grad(total)(x), along(x))  # noqa: E731
  point = jnp.stack([q, k, v])
  want = all_of(point)
  monkeypatch.setattr(attention, "UNCHUNKED_TOKENS", 8)
  monkeypatch.setattr(attention, "QUERY_CHUNK", 4)
  close = lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5)  # noqa: E731
  jax.tree.map(close, all_of(point), want)


def test_fused_attention_is_left_where_derivatives_go_forwards(monkeypatch):
  """As cuDNN's has none: here the call of it fails, for there is no GPU."""
  monkeypatch.setattr(attention, "UNCHUNKED_TOKENS", 4)
  monkeypatch.setattr(attention.device, "has_cudnn_attention", lambda *_: True)
  q = jax.random.normal(jax.random.key(0), (1, 8, 2, 64), jnp.bfloat16)
  ask = lambda x: attention.attend(x, x, x)  # noqa: E731
  with attention.attention_tracing("forward_mode"):
    value, moved = jax.jvp(ask, (q,), (q,))
  assert jnp.isfinite(value).all() and jnp.isfinite(moved).all()
  with pytest.raises(Exception, match="(?i)cudnn|cuda|gpu"):
    ask(q)


def test_fused_attention_is_given_up_where_it_does_not_work(monkeypatch):
  """Here on a CPU that is said to be a GPU: chunks take its place."""
  monkeypatch.setattr(attention, "UNCHUNKED_TOKENS", 4)
  q = jax.random.normal(jax.random.key(0), (1, 8, 2, 64), jnp.bfloat16)
  want = attention.attend(q, q, q)
  attention.device.has_cudnn_attention.cache_clear()
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  got = jax.jit(attention.attend)(q, q, q)
  attention.device.has_cudnn_attention.cache_clear()
  np.testing.assert_allclose(
    np.asarray(got, np.float32), np.asarray(want, np.float32), atol=0.02
  )


def test_fused_attention_is_for_an_even_number_of_tokens(monkeypatch):
  """With 1,025 tokens an H200 had no gradient: here it would not be fused."""
  monkeypatch.setattr(attention, "UNCHUNKED_TOKENS", 4)
  monkeypatch.setattr(attention.device, "has_cudnn_attention", lambda *_: True)
  q = jax.random.normal(jax.random.key(0), (1, 9, 2, 64), jnp.bfloat16)
  got = attention.attend(q, q, q)
  with attention.attention_tracing("forward_mode"):
    want = attention.attend(q, q, q)
  np.testing.assert_array_equal(got, want)
