"""Weights by the names of our parameters."""

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.configs import toy_vae

import jaxgen
from jaxgen.cli.main import main
from jaxgen.config.parse import parse
from jaxgen.errors import UserError
from jaxgen.interop import imported, own_names

TINY = {"base_channels": 4, "multipliers": (1,), "downsampling_steps": 1}
EXPERIMENT = parse(toy_vae(model=TINY))


@pytest.fixture(scope="module")
def arrays():
  shapes = imported.sizes_of(EXPERIMENT, {}).shapes
  rng = np.random.default_rng(0)
  return {k: rng.normal(size=x).astype(np.float32) for k, x in shapes.items()}


def write_npz(path, arrays):
  np.savez(path, **arrays)


def flax_names(path, arrays):
  np.savez(path, **{f"params/{k}": x for k, x in arrays.items()})


def dotted(path, arrays):
  save_file({k.replace("/", "."): x for k, x in arrays.items()}, path)


@pytest.mark.parametrize(
  ("write", "suffix"),
  [(write_npz, "npz"), (flax_names, "npz"), (dotted, "safetensors")],
)
def test_every_leaf_is_in_its_place(write, suffix, arrays, tmp_path):
  path, out = tmp_path / f"weights.{suffix}", tmp_path / "out"
  write(path, arrays)
  found = own_names.read(path, EXPERIMENT)
  assert found.num_parameters == sum(x.size for x in arrays.values())
  out.mkdir()
  imported.write(out, found)
  run = jaxgen.load(out)
  assert (run.step, run.experiment) == (0, EXPERIMENT)
  for name, x in arrays.items():
    leaf = run.params
    for part in name.split("/"):
      leaf = leaf[part]
    np.testing.assert_array_equal(leaf, x, strict=True)
  again = own_names.read(out, EXPERIMENT).arrays
  assert all(np.array_equal(again[k], x) for k, x in arrays.items())


def test_leaves_without_a_partner_are_listed_in_both_directions(
  arrays, tmp_path
):
  names = sorted(arrays)[:7]
  write_npz(
    tmp_path / "w.npz",
    {f"{k}_" if k in names else k: x for k, x in arrays.items()},
  )
  with pytest.raises(UserError) as error:
    own_names.read(tmp_path / "w.npz", EXPERIMENT)
  message = str(error.value)
  assert "7 parameters are missing and 7 are not in the model" in message
  assert all(f"{k}," in message or f"{k};" in message for k in names)
  assert all(f"{k}_" in message for k in names)


@pytest.mark.parametrize(
  ("flag", "reason"),
  [
    ("--config=textures_ldm:smoke", "latent.run: expected a config without it"),
    ("--subfolder=vae", "--subfolder=vae: expected no --config"),
    ("--config.model.width=0", "model.width=0: expected an integer >= 1"),
    ("--from=GONE.npz", "GONE.npz: no such file"),
    ("--from=GONE.ckpt", "GONE.ckpt: no such file"),
  ],
)
def test_wrong_flags_are_named(flag, reason, tmp_path, capsys):
  out = tmp_path / "out"
  argv = ["import", "--config=textures_patch_ae:smoke", "--from=W.npz", flag]
  assert main([*argv, f"--out={out}"]) == 2
  error = capsys.readouterr().err
  assert reason in error and error.count("\n") == 1 and not out.exists()
