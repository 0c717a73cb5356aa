"""Snapshots of EMA profiles, and reconstruction of other EMAs from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.workdir.ema_profiles import decay
from jaxgen.workdir.posthoc_ema import MAX_SNAPSHOTS, PosthocEMA


def trajectory(sigma_rels, saves, steps=4000):
  """EMAs of a curve at the saves, by their sigma_rel."""
  theta = lambda i: np.sin(3 * i / steps) + (i / steps) ** 2  # noqa: E731
  emas, saved = dict.fromkeys(sigma_rels, 0.0), {}
  for i in range(1, steps + 1):
    for x in sigma_rels:
      keep = decay(x, 1, i)
      emas[x] = keep * emas[x] + (1 - keep) * theta(i)
    if i in saves:
      saved[i] = dict(emas)
  return saved


def test_any_sigma_rel_is_reconstructed(tmp_path):
  saves = range(500, 4001, 500)
  saved = trajectory((0.05, 0.1, 0.03, 0.15), saves)
  store, shapes = PosthocEMA(tmp_path), {"a": {"w": jnp.zeros((2, 1))}}
  for step, emas in saved.items():
    trees = {
      str(x): {"a": {"w": np.full((2, 1), emas[x])}} for x in (0.05, 0.1)
    }
    store.write(step, trees, images=step)
  assert store.steps == list(saves)
  for sigma_rel, off, far in (
    (0.05, 1e-6, 1e-6),
    (0.15, 0.1, 1e-2),
    (0.03, 0.5, 2e-2),
  ):
    found = store.reconstruct(sigma_rel, shapes)
    value = float(found.params["a"]["w"][0, 0])
    assert found.step == 4000 and found.distance < off
    assert value == pytest.approx(saved[4000][sigma_rel], abs=far)
  early = store.reconstruct(0.1, shapes, step=2000).params["a"]["w"][0, 0]
  assert early == pytest.approx(saved[2000][0.1], abs=1e-5)
  store.remove_after(2100)
  assert store.steps[-1] == 2000


def test_a_run_keeps_so_many_snapshots_and_its_last(tmp_path):
  store, total = PosthocEMA(tmp_path), 10_000
  for images in range(50, total + 50, 50):
    if store.due(images, total):
      store.write(images // 50, {"0.1": {"w": np.zeros(2)}}, images=images)
  assert MAX_SNAPSHOTS <= len(store.steps) <= MAX_SNAPSHOTS + 1
  assert store.steps[-1] == total // 50
  gaps = np.diff(store.steps)
  assert gaps.max() <= 2 * total / MAX_SNAPSHOTS / 50


def test_what_cannot_be_reconstructed_is_named(tmp_path):
  store, shapes = PosthocEMA(tmp_path), {"w": jnp.zeros(3)}
  with pytest.raises(UserError, match="optimizer.ema_sigma_rels"):
    store.reconstruct(0.1, shapes)
  store.write(10, {"0.1": {"w": np.zeros(4)}}, images=10)
  with pytest.raises(UserError, match="10.npz .*another model"):
    store.reconstruct(0.1, shapes)
  with pytest.raises(UserError, match="step 7"):
    store.reconstruct(0.1, shapes, step=7)
  store.write(10, {"0.1": {"w": np.array([0.0, np.nan, 1.0])}}, images=10)
  with pytest.raises(UserError, match="10.npz .*finite"):
    store.reconstruct(0.1, shapes)
  store.write(10, {"0.1": {"w": np.zeros(3)}}, images=0)
  with pytest.raises(UserError, match="10.npz .*out of range"):
    store.reconstruct(0.1, shapes)
  path = tmp_path / "posthoc_ema" / "10.npz"
  path.write_bytes(path.read_bytes()[:-40])
  with pytest.raises(UserError, match="10.npz"):
    store.reconstruct(0.1, shapes)


def test_a_run_and_its_posthoc_emas(denoiser, capsys):
  store = PosthocEMA(denoiser)
  last = store.steps[-1]
  exact = jaxgen.load(denoiser, "ema-0.1")
  assert exact.step == last and exact.sigma_rel == 0.1
  with np.load(denoiser / "posthoc_ema" / f"{last}.npz") as file:
    saved = file["0.1/patch_in/kernel"]
  np.testing.assert_allclose(
    exact.params["patch_in"]["kernel"], saved, atol=1e-6
  )
  early = jaxgen.load(denoiser, f"ema-0.05@{store.steps[0]}")
  assert early.step == store.steps[0]
  far = jax.tree.map(
    lambda a, b: float(jnp.abs(a - b).max()), exact.params, early.params
  )
  assert max(jax.tree.leaves(far)) > 1e-4
  capsys.readouterr()
  assert main(["ema", f"--workdir={denoiser}", "--sigma_rel=0.05,0.2"]) == 0
  shown = capsys.readouterr().out
  assert "ema-0.2" in shown and "ordinary EMA" in shown
  for wrong in ("0.4", "x", "1e-200"):
    assert main(["ema", f"--workdir={denoiser}", f"--sigma_rel={wrong}"]) == 2
    error = capsys.readouterr().err
    assert "sigma_rel" in error and wrong in error
  for name in ("ema-0.5", "ema-x", "ema-0.1@3"):
    with pytest.raises(UserError):
      jaxgen.load(denoiser, name)


def test_a_run_without_posthoc_ema_says_how_to_get_it(trained):
  with pytest.raises(UserError, match="optimizer.ema_sigma_rels"):
    jaxgen.load(trained, "ema-0.1")
