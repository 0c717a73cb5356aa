"""Laws that hold for every network of a denoiser."""

import dataclasses
import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.config.denoisers import (
  DiTConfig,
  MLPConfig,
  MultiScaleUNetConfig,
  ProgressiveUNetConfig,
  UNetConfig,
)
from jaxgen.models.build import build
from jaxgen.models.conditioning import Numbers
from jaxgen.train.transfer import transfer_params

SIZES = (("kind", 3), ("zoom", 2))
MODELS = {
  "unet": UNetConfig(
    width=8,
    multipliers=(1, 2),
    attention=(False, True),
    num_res_blocks=1,
    head_dim=8,
  ),
  "dit": DiTConfig(width=32, depth=2, heads=2, patch_size=4),
  "mlp": MLPConfig(width=32, depth=2),
}
EACH = pytest.mark.parametrize("name", MODELS)


def side_of(name):
  """Side of the images of a model; 1: vectors."""
  return 1 if name == "mlp" else 16


@functools.cache
def make(name, *, image_conditions=(), **changes):
  """A model whose `init` and `apply` are compiled, once for all tests."""
  model = build(
    dataclasses.replace(MODELS[name], **changes),
    resolution=side_of(name),
    channels=2,
    condition_sizes=SIZES,
    image_conditions=image_conditions,
  )
  return types.SimpleNamespace(
    init=jax.jit(model.init),
    apply=jax.jit(model.apply, static_argnums=4),
  )


def inputs(name, n=2, side=0):
  side = side or side_of(name)
  x = jax.random.normal(jax.random.key(0), (n, side, side, 2))
  cond = {"kind": jnp.arange(n) % 3, "zoom": jnp.arange(n) % 2}
  return x, jnp.linspace(-1, 1, n), cond


def nonzero(model, x, c_noise, cond):
  """Parameters that are nowhere zero."""
  shapes = jax.eval_shape(model.init, jax.random.key(0), x, c_noise, cond)
  rng = np.random.default_rng(0)

  def draw(path, leaf):
    fan = np.prod(leaf.shape[:-1]) if path[-1].key == "kernel" else 25
    spread = rng.normal(size=leaf.shape) / np.sqrt(fan)
    return jnp.asarray(spread + (path[-1].key == "scale"), jnp.float32)

  return jax.tree_util.tree_map_with_path(draw, shapes)


@EACH
def test_it_starts_at_zero(name):
  """So the loss starts at 1 for each pixel, and at every sigma."""
  model, args = make(name), inputs(name)
  params = model.init(jax.random.key(0), *args)
  out = model.apply(params, *args)
  assert out.shape == args[0].shape
  np.testing.assert_array_equal(out, 0)


@EACH
def test_an_image_does_not_depend_on_its_batch(name):
  model, (x, c_noise, cond) = make(name), inputs(name, 3)
  params = nonzero(model, x, c_noise, cond)
  whole = model.apply(params, x, c_noise, cond)
  part = jax.tree.map(lambda v: v[1:2], (x, c_noise, cond))
  np.testing.assert_allclose(model.apply(params, *part), whole[1:2], atol=1e-4)


@EACH
def test_every_input_matters_and_a_missing_one_is_a_value_of_its_own(name):
  model, (x, c_noise, cond) = make(name), inputs(name)
  params = nonzero(model, x, c_noise, cond)
  base = model.apply(params, x, c_noise, cond)
  far = lambda y: float(jnp.abs(y - base).max())  # noqa: E731
  assert far(model.apply(params, x, c_noise + 0.5, cond)) > 1e-3
  for key, values in SIZES:
    seen = [base]
    for value in range(-1, values):
      requested = cond | {key: jnp.full(2, value)}
      seen.append(model.apply(params, x, c_noise, requested))
    different = {np.asarray(y[0]).tobytes() for y in seen[1:]}
    assert len(different) == values + 1
  gone = model.apply(params, x, c_noise, {"zoom": cond["zoom"]})
  requested = cond | {"kind": jnp.full(2, -1)}
  np.testing.assert_array_equal(
    gone, model.apply(params, x, c_noise, requested)
  )
  nothing = {"kind": jnp.full(2, -1), "zoom": jnp.full(2, -1)}
  np.testing.assert_array_equal(
    model.apply(params, x, c_noise), model.apply(params, x, c_noise, nothing)
  )


@pytest.mark.parametrize("name", ["unet", "dit"])
def test_one_set_of_weights_serves_several_resolutions(name):
  model, args = make(name), inputs(name)
  params = nonzero(model, *args)
  shapes = jax.eval_shape(
    make(name).init, jax.random.key(0), *inputs(name, 2, 24)
  )
  same = jax.tree.map(lambda a, b: a.shape == b.shape, params, shapes)
  assert all(jax.tree.leaves(same))
  out = model.apply(params, *inputs(name, 2, 24))
  assert out.shape == (2, 24, 24, 2) and jnp.isfinite(out).all()


@EACH
def test_bfloat16_agrees_with_float32(name):
  args = inputs(name)
  params = nonzero(make(name), *args)
  exact = make(name, dtype="float32").apply(params, *args)
  rough = make(name, dtype="bfloat16").apply(params, *args)
  scale = jnp.abs(exact).max()
  assert jnp.abs(rough.astype(jnp.float32) - exact).max() < 0.1 * scale


@pytest.mark.slow
@EACH
def test_a_batch_is_overfitted(name):
  """Two images and their noise, from a loss of 1 to a hundredth."""
  model, (x, c_noise, cond) = make(name), inputs(name)
  target = jax.random.normal(jax.random.key(5), x.shape)
  params = model.init(jax.random.key(0), x, c_noise, cond)
  tx = optax.adam(3e-3)

  @jax.jit
  def step(params, state):
    def loss(p):
      return jnp.mean((model.apply(p, x, c_noise, cond) - target) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    updates, state = tx.update(grads, state)
    return optax.apply_updates(params, updates), state, value

  state = tx.init(params)
  for _ in range(600):
    params, state, value = step(params, state)
  assert value < 0.01


@EACH
def test_dropout_is_for_training(name):
  model, args = make(name, dropout=0.5), inputs(name)
  params = nonzero(model, *args)
  run = lambda k: model.apply(params, *args, True, rngs={"dropout": k})  # noqa: E731
  one, two = run(jax.random.key(0)), run(jax.random.key(1))
  assert jnp.abs(one - two).max() > 1e-3
  plain = make(name).apply(params, *args)
  np.testing.assert_array_equal(model.apply(params, *args), plain)


@EACH
def test_an_image_condition_is_seen_and_may_be_missing(name):
  model = make(name, image_conditions=(("hint", 3),))
  x, c_noise, cond = inputs(name)
  params = nonzero(model, x, c_noise, cond)
  image = jax.random.normal(jax.random.key(3), (*x.shape[:3], 3))
  base = model.apply(params, x, c_noise, cond)
  assert base.shape == x.shape
  seen = model.apply(params, x, c_noise, cond | {"hint": image})
  assert jnp.abs(seen - base).max() > 1e-2
  black = model.apply(params, x, c_noise, cond | {"hint": 0 * image})
  np.testing.assert_array_equal(black, base)


SMALL = {"width": 8, "multipliers": (1,), "attention": (False,), "head_dim": 8}
STARTS = {
  "unet": MODELS["unet"],
  "dit": MODELS["dit"],
  "multiscale": MultiScaleUNetConfig(
    **SMALL, num_res_blocks=1, scales=(8, 16), scale_width=8
  ),
  "progressive": ProgressiveUNetConfig(
    **SMALL, num_res_blocks=1, resolutions=(8, 16)
  ),
}


@pytest.mark.parametrize("name", STARTS)
def test_an_unconditional_network_is_a_start_for_one_with_hints(name):
  """With a hint or without one it has the same output, bit for bit."""
  plain, hinted = (
    build(
      STARTS[name],
      resolution=16,
      channels=2,
      sigma_data=0.5,
      condition_sizes=(*SIZES, *sizes),
      image_conditions=images,
    )
    for sizes, images in (
      ((), ()),
      ((("hint_noise", Numbers(1)),), (("hint", 4),)),
    )
  )
  x, c_noise, cond = inputs("unet")
  old = nonzero(plain, x, c_noise, cond)["params"]
  init = jax.jit(hinted.init)
  fresh = init(jax.random.key(1), x, c_noise, cond)["params"]
  new = transfer_params(old, fresh, hinted.rules(plain))
  hint = jax.random.normal(jax.random.key(2), (2, 16, 16, 4))
  told = {"hint": hint, "hint_noise": jnp.full((2, 1), 0.3)}
  output = jax.jit(plain.apply)({"params": old}, x, c_noise, cond)
  assert jnp.abs(output).max() > 1e-3
  apply = jax.jit(hinted.apply)
  for more in ({}, told):
    found = apply({"params": new}, x, c_noise, cond | more)
    np.testing.assert_array_equal(found, output)
  changed = jax.tree.map(lambda p: p + 0.01, new)
  seen = [apply({"params": changed}, x, c_noise, cond | y) for y in ({}, told)]
  assert jnp.abs(seen[0] - seen[1]).max() > 1e-4


def test_scanned_blocks_are_the_unrolled_ones():
  args = inputs("dit")
  params = nonzero(make("dit"), *args)["params"]
  blocks = [params[f"block_{i}"] for i in range(2)]
  rest = {k: v for k, v in params.items() if not k.startswith("block_")}
  stacked = rest | {"blocks": jax.tree.map(lambda *x: jnp.stack(x), *blocks)}
  scanned = make("dit", scan_layers=True).apply({"params": stacked}, *args)
  plain = make("dit").apply({"params": params}, *args)
  np.testing.assert_allclose(scanned, plain, atol=1e-4)


def test_a_circular_u_net_knows_no_edge():
  """Rolling the input rolls the output, by what the levels can halve."""
  x, c_noise, cond = inputs("unet")
  edges = {}
  for padding in ("circular", "zeros"):
    model = make("unet", padding=padding)
    params = nonzero(model, x, c_noise, cond)
    apply = lambda x, m=model, p=params: m.apply(p, x, c_noise, cond)  # noqa: E731
    rolled = jnp.roll(apply(x), (4, -6), axis=(1, 2))
    off = jnp.abs(apply(jnp.roll(x, (4, -6), axis=(1, 2))) - rolled)
    edges[padding] = float(off.max() / jnp.abs(rolled).max())
  assert edges["circular"] < 1e-5 < 0.01 < edges["zeros"]
