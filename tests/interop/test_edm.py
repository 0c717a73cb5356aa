"""Denoisers in pickles of EDM: their outputs, as EDM's own code has computed
them with these weights, and what is refused."""

import os
import re

import jax
import numpy as np
import pytest
from compare_diffusers import TOLERANCE
from support import edm_pickles
from support.configs import ROOT
from support.torch_writing import Runs

import jaxgen
from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.interop import edm, edm_pickle

REFERENCE = ROOT / "tests" / "interop" / "data" / "edm" / "reference.npz"


@pytest.fixture(scope="module")
def weights():
  return edm_pickles.weights()


@pytest.fixture
def write(tmp_path, monkeypatch, weights):
  """A writer of pickles, whose path it returns."""
  edm_pickles.stand_in_edm(monkeypatch)

  def write(arrays=None, **changes):
    path = tmp_path / "edm.pkl"
    edm_pickles.write(path, weights if arrays is None else arrays, **changes)
    return path

  return write


def imports(path):
  return main(["import", f"--from={path}", f"--out={path.with_name('out')}"])


def test_outputs_are_those_of_edm(write):
  path = write()
  assert imports(path) == 0
  run, reference = jaxgen.load(path.with_name("out")), np.load(REFERENCE)
  found = jax.jit(run.task.denoiser(run.params))(
    reference["x"], reference["sigma"]
  )
  np.testing.assert_allclose(found, reference["denoised"], atol=TOLERANCE)
  images = run.sample(2, seed=3, sampler="euler", steps=2)
  assert images.shape == (2, 16, 16, 3) and np.ptp(images) > 0


@pytest.mark.parametrize("protocol", [3, 5])
def test_pickles_of_every_protocol_are_read_equal(write, protocol, weights):
  network = edm_pickle.read(write(protocol=protocol))
  assert network.arguments() == edm_pickles.EDM
  found = dict(network.module("model").arrays())
  assert found.keys() == weights.keys()
  for name, x in weights.items():
    np.testing.assert_array_equal(found[name], x)


def test_levels_are_named_by_their_pixels():
  name = "dec_2_block4/norm0/scale"
  assert edm.partner(name, 64) == "dec.16x16_block4.norm0.weight"
  assert edm.partner("map_layer0/bias", 64) == "map_layer0.bias"


REFUSED = {
  "label_dim=10: expected 0": {"outer": {"label_dim": 10}},
  "encoder_type='residual'": {"inner": {"encoder_type": "residual"}},
  "embedding_type='fourier'": {"inner": {"embedding_type": "fourier"}},
  "resample_filter": {"inner": {"resample_filter": [1, 3, 3, 1]}},
  "channel_mult_emb=2": {"inner": {"channel_mult_emb": 2}},
  "channel_mult=3: expected a list": {"inner": {"channel_mult": 3}},
  "model.width=6": {"inner": {"model_channels": 6}},
  "img_resolution=.*15.5": {"outer": {"img_resolution": 15.5}},
  "sigma_data": {"outer": {"sigma_data": -1.0}},
  "expected EDMPrecond": {"ema": edm_pickles.Persistent("VPPrecond", {})},
  "EDMPrecond has no module model": {
    "ema": edm_pickles.Persistent("EDMPrecond", {})
  },
  "it has no network ema": {"ema": None},
  "another version": {"ema": edm_pickles.Persistent("x", {}, version=5)},
  "refers to .*system; expected a pickle of EDM": {
    "ema": Runs(os.system, "touch trace")
  },
  "refers to builtins.eval": {"more": Runs(eval, "open('trace', 'w')")},
  "missing: .*enc.16x16_block1": {"inner": {"num_blocks": 2}},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_imported_is_refused_in_one_line(
  write, reason, capsys, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  path = write(**REFUSED[reason])
  assert imports(path) == 2
  error = capsys.readouterr().err
  assert re.search(reason, error) and error.count("\n") == 1
  assert os.listdir(tmp_path) == [path.name]


def test_damaged_pickles_are_refused_in_one_line(write, capsys):
  path = write()
  whole = path.read_bytes()
  for content in (b"", b"x", whole[:200], whole[: len(whole) // 2]):
    path.write_bytes(content)
    assert imports(path) == 2
    error = capsys.readouterr().err
    assert "edm.pkl is damaged" in error and error.count("\n") == 1
  assert imports(path.with_name("none.pkl")) == 2
  assert "none.pkl: no such file" in capsys.readouterr().err


def test_weights_have_to_be_finite_and_fit(write, weights):
  name = "enc.16x16_conv.weight"
  for x, reason in (
    (np.full_like(weights[name], np.inf), "finite"),
    (weights[name][:4], "expected .3, 3, 3, 8."),
    (weights[name].astype(np.int32), "floating-point"),
  ):
    with pytest.raises(UserError, match=f"{re.escape(name)}.*{reason}"):
      edm.read(write({**weights, name: x}))


def test_a_network_inside_itself_is_refused(write):
  model = edm_pickles.module("SongUNet", {}, edm_pickles.SONG)
  modules = model.meta["state"]["_modules"]
  modules["enc"] = edm_pickles.child("enc", {})
  modules["enc"].__dict__["_modules"]["again"] = modules["enc"]
  outer = edm_pickles.module("EDMPrecond", {}, edm_pickles.EDM)
  outer.meta["state"]["_modules"]["model"] = model
  with pytest.raises(UserError, match="nested too deeply"):
    edm.read(write(ema=outer))
