import re
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import jaxgen
from jaxgen.errors import UserError
from jaxgen.sample import latent_sampling


@pytest.fixture(scope="module")
def run(trained):
  return jaxgen.load(trained)


def images(n, seed=0):
  return np.random.default_rng(seed).integers(0, 255, (n, 32, 32, 1), np.uint8)


def test_the_door_takes_and_gives_uint8(run):
  x = images(5)
  latents = run.encode(x)
  assert latents.shape == (5, 16) and latents.dtype == np.float32
  y = run.decode(latents)
  assert y.shape == x.shape and y.dtype == np.uint8
  np.testing.assert_array_equal(run.reconstruct(x), y)
  assert run.step == 30 and run.experiment.model.latent_dim == 16


def test_an_image_does_not_depend_on_its_batch(run):
  """Sums of other lengths may differ in the last bit, so levels by one."""
  x = images(11)
  whole = run.encode(x, batch=64)
  np.testing.assert_allclose(run.encode(x, batch=8), whole, atol=1e-5)
  np.testing.assert_allclose(run.encode(x[3:4]), whole[3:4], atol=1e-5)


@pytest.mark.parametrize(
  "method", ["gaussian", "gmm", "interpolate", "perturb"]
)
def test_sample_i_is_a_function_of_the_seed_and_i(run, method):
  whole = run.sample(20, seed=1, method=method).astype(int)
  few = run.sample(9, seed=1, method=method, batch=8).astype(int)
  assert np.abs(whole[:9] - few).max() <= 1
  assert np.mean(whole[:9] != few) < 0.01
  other = run.sample(20, seed=2, method=method).astype(int)
  assert np.mean(whole != other) > 0.5
  assert len(np.unique(whole.reshape(20, -1), axis=0)) == 20


def test_samples_have_the_statistics_of_decoded_training_latents(run):
  known = run.decode(run.training_latents).astype(float)
  drawn = run.sample(256).astype(float)
  assert abs(known.mean() - drawn.mean()) < 0.25 * known.std()
  assert 0.7 < drawn.std() / known.std() < 1.3


def test_standardized_latents_have_mean_0_and_deviation_1(run):
  latents = run.training_latents
  found = np.asarray(run.codec.standardize(latents))
  np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
  np.testing.assert_allclose(found.std(0), 1, atol=1e-4)
  back = run.codec.unstandardize(found)
  np.testing.assert_allclose(back, latents, atol=1e-4)
  assert run.codec.latent_shape == latents.shape[1:]


def test_one_program_serves_all_requests_of_a_shape(run):
  run.sample(3)
  compiled = run.cached(latent_sampling._program)._cache_size()
  run.sample(40, seed=5)
  run.sample(64, seed=6)
  assert run.cached(latent_sampling._program)._cache_size() == compiled


def test_interpolation_runs_from_one_reconstruction_to_the_other(run):
  a, b = images(2)
  ends = run.reconstruct(np.stack([a, b])).astype(int)
  for how in ("linear", "spherical"):
    row = run.interpolate(a, b, 5, how=how).astype(int)
    assert row.shape == (5, 32, 32, 1)
    assert np.abs(row[[0, -1]] - ends).max() <= 1
  same = run.interpolate(a, a, 3).astype(int)
  assert np.abs(same - ends[0]).max() <= 1


def test_analogy_is_latent_arithmetic(run):
  a, b, c = images(2, 1), images(2, 2), images(2, 3)
  got = run.analogy(a, b, c)
  latents = run.encode(a) - run.encode(b) + run.encode(c)
  np.testing.assert_array_equal(got, run.decode(latents))
  same = run.analogy(a, a, c).astype(int)
  assert np.abs(same - run.reconstruct(c)).max() <= 1


def test_what_does_not_fit_is_refused_at_the_door(run):
  for bad in (
    images(2)[..., 0],
    images(2)[:, :16],
    np.zeros((2, 32, 32, 3), np.uint8),
    np.zeros((0, 32, 32, 1), np.uint8),
    np.zeros((2, 32, 32, 1), np.float64),
    np.full((2, 32, 32, 1), 255, np.float32),
    np.full((2, 32, 32, 1), np.nan, np.float32),
  ):
    with pytest.raises(UserError):
      run.encode(bad)
  with pytest.raises(UserError, match="16"):
    run.decode(np.zeros((2, 15)))
  for latents in ("abc", np.full((2, 16), np.nan), np.zeros(()), None):
    with pytest.raises(UserError, match="latents"):
      run.decode(latents)


@pytest.mark.parametrize(
  ("call", "names"),
  [
    (lambda run: run.sample(4, method="magic"), "method='magic'"),
    (lambda run: run.sample(0), "num=0"),
    (lambda run: run.sample(4, seed=-1), "seed=-1"),
    (lambda run: run.sample(4, seed=2**32), "seed=4294967296"),
    (lambda run: run.sample(4, batch=0), "batch=0"),
    (lambda run: run.interpolate(*images(2), steps=1), "steps=1"),
    (lambda run: run.interpolate(*images(2), how="curved"), "how='curved'"),
    (lambda run: run.interpolate(images(1)[0], images(2)), "images: "),
    (lambda run: run.analogy(images(2), images(2), images(1)), "a, b, c"),
    (lambda run: run.images(num=0), "num=0"),
    (lambda run: run.images("test"), "split='test'"),
  ],
)
def test_a_wrong_argument_is_named(run, call, names):
  with pytest.raises(UserError, match=re.escape(names)):
    call(run)


def test_the_largest_seeds_are_seeds_of_their_own(run):
  one, two = (run.sample(4, seed=2**32 - n) for n in (1, 2))
  assert (one != two).mean() > 0.5


def test_loading_imports_neither_optimizer_nor_training():
  code = (
    "import sys, jaxgen; jaxgen.load; above = ('optax', 'jaxgen.train',"
    " 'jaxgen.planning'); print([m for m in sys.modules if m in above])"
  )
  done = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True
  )
  assert done.stdout == "[]\n", done.stderr


def test_checkpoints_are_chosen_by_name(trained):
  steps = sorted(int(p.name) for p in (trained / "checkpoints").glob("[0-9]*"))
  assert jaxgen.load(trained, "latest").step == steps[-1]
  assert jaxgen.load(trained, steps[0]).step == steps[0]
  with pytest.raises(UserError, match="'7'"):
    jaxgen.load(trained, "7")


def rewrite(path, **changes):
  with np.load(path) as file:
    content = dict(file) | changes
  np.savez(path, **content)


DAMAGE = {
  "empty": lambda path: path.write_bytes(b""),
  "text": lambda path: path.write_text("no"),
  "cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
  "no latents": lambda path: np.savez(path, other=np.zeros(3)),
  "nan": lambda path: rewrite(path, latents=np.full((64, 16), np.nan)),
  "shape": lambda path: rewrite(path, latents=np.zeros((64, 5))),
  "0-d": lambda path: rewrite(path, latents=np.zeros(())),
  "another's": lambda path: rewrite(
    path, latents=np.ones((64, 16)), checkpoint="of another training"
  ),
  "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_latents_that_are_not_this_checkpoint_s_are_made_again(
  run, trained, tmp_path, damage
):
  shutil.copytree(trained, tmp_path / "run")
  path = tmp_path / "run" / "latents" / "30.npz"
  DAMAGE[damage](path)
  again: Any = jaxgen.load(tmp_path / "run")
  np.testing.assert_allclose(
    again.training_latents, run.training_latents, atol=1e-5
  )
  with np.load(path) as file:  # and kept
    np.testing.assert_array_equal(file["latents"], again.training_latents)


@pytest.mark.parametrize("text", ["null", '{"psnr": "x"}', '{"psnr": [1]}'])
def test_damaged_scores_are_named(trained, tmp_path, text):
  shutil.copytree(trained, tmp_path / "run")
  for path in (tmp_path / "run").glob("checkpoints/*/metrics/metrics"):
    path.write_text(text)
  with pytest.raises(UserError, match="metrics"):
    jaxgen.load(tmp_path / "run")
