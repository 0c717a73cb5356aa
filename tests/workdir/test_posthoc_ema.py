"""Power-function averages against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.workdir.posthoc_ema import (
  MOST,
  Averages,
  Profile,
  combine,
  decay,
  exponent,
  products,
)


@pytest.mark.parametrize(
  ("length", "gamma"), [(0.05, 16.9722), (0.10, 6.9372), (0.15, 3.5579)]
)
def test_published_exponents(length, gamma):
  assert exponent(length) == pytest.approx(gamma, abs=1e-4)


@pytest.mark.parametrize("length", [0.05, 0.1, 0.25])
def test_the_average_of_a_ramp_is_the_analytic_mean(length):
  """Of theta(t) = t: t (gamma + 1) / (gamma + 2), with the wanted spread."""
  steps, trace, square = 20_000, 0.0, 0.0
  for i in range(1, steps + 1):
    keep = decay(length, 8, 8 * i)
    trace = keep * trace + (1 - keep) * i
    square = keep * square + (1 - keep) * i**2
  gamma = exponent(length)
  assert trace / steps == pytest.approx((gamma + 1) / (gamma + 2), rel=1e-3)
  spread = np.sqrt(square - trace**2) / steps
  assert spread == pytest.approx(length, rel=5e-3)


def test_products_of_profiles_are_their_integrals():
  t = (np.arange(400_000) + 0.5) / 1000  # midpoints up to 400

  def values(p):
    g = exponent(p.length)
    inside = (g + 1) * t**g / p.images ** (g + 1)
    return np.where(t < p.images, inside, 0.0)

  many = [Profile(length=a, images=n) for a in (0.05, 0.2) for n in (150, 400)]
  for a in many:
    for b in many:
      want = np.sum(values(a) * values(b)) / 1000
      assert products([a], [b]).item() == pytest.approx(want, rel=1e-4)


def trajectory(lengths, saves, steps=4000):
  """Traces of a curve, at the saves and for any other length at the end."""
  theta = lambda i: np.sin(3 * i / steps) + (i / steps) ** 2  # noqa: E731
  traces, kept = dict.fromkeys(lengths, 0.0), {}
  for i in range(1, steps + 1):
    for x in lengths:
      keep = decay(x, 1, i)
      traces[x] = keep * traces[x] + (1 - keep) * theta(i)
    if i in saves:
      kept[i] = dict(traces)
  return kept


def test_any_length_is_reconstructed(tmp_path):
  saves = range(500, 4001, 500)
  kept = trajectory((0.05, 0.1, 0.03, 0.15), saves)
  store, shapes = Averages(tmp_path), {"a": {"w": jnp.zeros((2, 1))}}
  for step, traces in kept.items():
    trees = {
      str(x): {"a": {"w": np.full((2, 1), traces[x])}} for x in (0.05, 0.1)
    }
    store.write(step, step, trees)
  assert store.steps == list(saves)
  for length, off, far in (
    (0.05, 1e-6, 1e-6),
    (0.15, 0.1, 1e-2),
    (0.03, 0.5, 2e-2),
  ):
    found = store.reconstruct(length, shapes)
    value = float(found.params["a"]["w"][0, 0])
    assert found.step == 4000 and found.distance < off
    assert value == pytest.approx(kept[4000][length], abs=far)
  early = store.reconstruct(0.1, shapes, 2000).params["a"]["w"][0, 0]
  assert early == pytest.approx(kept[2000][0.1], abs=1e-5)
  store.forget_after(2100)
  assert store.steps[-1] == 2000


def test_weights_of_a_known_profile_are_one_and_zeros():
  known = [Profile(length=x, images=n) for x in (0.05, 0.1) for n in (500, 900)]
  weights, distance = combine(known, known[2])
  np.testing.assert_allclose(weights, [0, 0, 1, 0], atol=1e-6)
  assert distance < 1e-5


def test_a_run_keeps_so_many_snapshots_and_its_last(tmp_path):
  store, total = Averages(tmp_path), 10_000
  for images in range(50, total + 50, 50):
    if store.due(images, total):
      store.write(images // 50, images, {"0.1": {"w": np.zeros(2)}})
  assert MOST <= len(store.steps) <= MOST + 1
  assert store.steps[-1] == total // 50
  gaps = np.diff(store.steps)
  assert gaps.max() <= 2 * total / MOST / 50


def test_what_cannot_be_reconstructed_is_named(tmp_path):
  store, shapes = Averages(tmp_path), {"w": jnp.zeros(3)}
  with pytest.raises(UserError, match="keeps no averages"):
    store.reconstruct(0.1, shapes)
  store.write(10, 10, {"0.1": {"w": np.zeros(4)}})
  with pytest.raises(UserError, match="another model"):
    store.reconstruct(0.1, shapes)
  with pytest.raises(UserError, match="by step 7"):
    store.reconstruct(0.1, shapes, 7)
  store.write(10, 10, {"0.1": {"w": np.array([0.0, np.nan, 1.0])}})
  with pytest.raises(UserError, match="not all numbers of 10.npz are finite"):
    store.reconstruct(0.1, shapes)
  store.write(10, 0, {"0.1": {"w": np.zeros(3)}})
  with pytest.raises(UserError, match="make no sense"):
    store.reconstruct(0.1, shapes)
  path = tmp_path / "averages" / "10.npz"
  path.write_bytes(path.read_bytes()[:-40])
  with pytest.raises(UserError, match="10.npz cannot be read"):
    store.reconstruct(0.1, shapes)


def test_a_run_and_its_averages(denoiser, capsys):
  store = Averages(denoiser)
  last = store.steps[-1]
  exact = jaxgen.load(denoiser, "ema-0.1")
  assert exact.step == last and exact.length == 0.1
  with np.load(denoiser / "averages" / f"{last}.npz") as file:
    kept = file["0.1/patch_in/kernel"]
  np.testing.assert_allclose(
    exact.params["patch_in"]["kernel"], kept, atol=1e-6
  )
  early = jaxgen.load(denoiser, f"ema-0.05@{store.steps[0]}")
  assert early.step == store.steps[0]
  far = jax.tree.map(
    lambda a, b: float(jnp.abs(a - b).max()), exact.params, early.params
  )
  assert max(jax.tree.leaves(far)) > 1e-4
  capsys.readouterr()
  assert main(["ema", f"--workdir={denoiser}", "--length=0.05,0.2"]) == 0
  shown = capsys.readouterr().out
  assert "ema-0.2" in shown and "ordinary average" in shown
  for wrong, says in (
    ("0.4", "0.28"),
    ("x", "numbers like 0.1"),
    ("1e-200", "at least"),
  ):
    assert main(["ema", f"--workdir={denoiser}", f"--length={wrong}"]) == 2
    assert says in capsys.readouterr().err
  for name in ("ema-0.5", "ema-x", "ema-0.1@3"):
    with pytest.raises(UserError):
      jaxgen.load(denoiser, name)


def test_a_run_without_averages_says_how_to_keep_them(trained):
  with pytest.raises(UserError, match="optimizer.ema_sigma_rels"):
    jaxgen.load(trained, "ema-0.1")
