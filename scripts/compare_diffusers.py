"""Compare imported models of diffusers with diffusers itself.

    python -m venv ENV
    ENV/bin/pip install torch diffusers
    python scripts/compare_diffusers.py --torch_python=ENV/bin/python

Builds small models with random weights by `peers/pytorch/diffusers_models.py`
in the environment of PyTorch, imports them, and prints the largest difference
of their outputs. Status 1 if one is more than 2e-5. With `--out` the models
and their outputs are kept: a test reads a copy of two of them.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import jax
import numpy as np

import jaxgen
from jaxgen.diffusion import vp
from jaxgen.interop import diffusers, imported

SCRIPTS = pathlib.Path(__file__).parent
REFERENCE = "reference.npz"
TOLERANCE = 2e-5  # of float32 outputs of about 1


def main(argv: list[str] | None = None) -> int:
  """Compare all models and print a table."""
  args = parse(argv)
  with tempfile.TemporaryDirectory() as temporary:
    out = (args.out or pathlib.Path(temporary)).resolve()
    subprocess.run(
      [args.torch_python, "-m", "peers.pytorch.diffusers_models", str(out)],
      cwd=SCRIPTS,
      check=True,
    )
    errors = [
      error
      for folder in sorted(x.parent for x in out.glob(f"*/{REFERENCE}"))
      for error in compare(folder)
    ]
  return int(not errors or max(errors) > TOLERANCE)


def parse(argv: list[str] | None) -> argparse.Namespace:
  """The command line's options."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    "--torch_python", required=True, help="interpreter that has diffusers"
  )
  parser.add_argument("--out", type=pathlib.Path, help="folder to keep")
  return parser.parse_args(argv)


def compare(folder: pathlib.Path) -> list[float]:
  """The largest difference of each output of a model, which are printed."""
  with tempfile.TemporaryDirectory() as out:
    imported.write(pathlib.Path(out), diffusers.read(folder))
    run = jaxgen.load(out)
  errors = differences(run, dict(np.load(folder / REFERENCE)))
  for name, error in errors.items():
    print(f"{folder.name:12} {name:14} {error:.2g}")
  return list(errors.values())


def differences(run, reference: dict[str, np.ndarray]) -> dict[str, float]:
  """The largest difference of each output of a loaded run from those of
  diffusers."""
  of = _denoiser if run.task.denoiser else _autoencoder
  outputs = of(run, reference)
  return {k: _difference(x, reference[k]) for k, x in outputs.items()}


def _difference(x: Any, expected: np.ndarray) -> float:
  """The largest difference of an image from that of diffusers, relative to the
  largest value of that image if this is more than 1."""
  axes = tuple(range(1, x.ndim))
  scale = np.maximum(np.abs(expected).max(axes), 1)
  return (np.abs(x - expected).max(axes) / scale).max()


def _denoiser(run, reference: dict[str, np.ndarray]) -> dict[str, Any]:
  """The noise, and the clean images by the denoiser of noisy images that are
  not scaled."""
  z, time = reference["z"], reference["time"]
  predict = jax.jit(run.task.model.apply)
  sigma = vp.SIGMAS[time].astype(np.float32)
  x = z * np.sqrt(1 + sigma**2)[:, None, None, None]
  return {
    "noise": predict({"params": run.params}, z, time.astype(np.float32)),
    "clean": jax.jit(run.task.denoiser(run.params))(x, sigma),
  }


def _autoencoder(run, reference: dict[str, np.ndarray]) -> dict[str, Any]:
  """Latents without their normalization, and decoded images."""
  codec = run.task.codec(run.params)
  mean, std = (np.asarray(x) for x in run.task.model.moments)
  found, log_variance = jax.jit(codec.posterior)(reference["images"])
  decode = jax.jit(codec.decode)
  return {
    "mean": found * std + mean,
    "log_variance": log_variance + 2 * np.log(std),
    "decoded": decode((reference["latents"] - mean) / std),
  }


if __name__ == "__main__":
  sys.exit(main())
