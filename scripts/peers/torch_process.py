"""PyTorch in a process and an environment of its own.

It runs `peers.pytorch.serve`, which is idle unless it is asked for a call, so
that the threads of two runtimes never compete. Its idle threads sleep: on a
busy machine threads that wait in a loop make PyTorch up to 30 times slower.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
from typing import Any

import jax
import numpy as np
from jax.tree_util import keystr

from peers.cases import KL_WEIGHT, Case
from peers.jax_programs import LEARNING_RATE
from peers.timing import Seconds

SCRIPTS = pathlib.Path(__file__).parents[1]
TOLERANCE = 1e-3  # of outputs from equal weights, relative to the largest one
RENAMED = {"kernel": "weight", "scale": "weight", "Dense_0": "film"}


class TorchError(RuntimeError):
  """PyTorch could not run a program."""


class TorchProcess:
  """A process that times PyTorch's networks.

  Args:
    python: the interpreter of an environment with PyTorch.
    folder: an empty folder for weights and outputs.
  """

  def __init__(self, python: str, *, folder: pathlib.Path):
    self._folder = folder
    try:
      self._process = subprocess.Popen(
        [python, "-m", "peers.pytorch.serve"],
        cwd=SCRIPTS,
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
      )
      self.version = self._ask({})["version"]
    except (OSError, TorchError) as e:
      raise TorchError(
        f"{python}: expected the Python of an environment with PyTorch: {e}"
      ) from e

  def build(self, case: Case) -> None:
    """Build the network of a case with the same weights, and check that its
    output is the same."""
    weights, (images, noise) = case.weights(), case.inputs()
    path = self._folder / f"{case.name}.npz"
    arrays: Any = {f"params.{k}": v for k, v in torch_weights(weights).items()}
    np.savez(
      path, images=channels_first(images), noise=channels_first(noise), **arrays
    )
    options: Any = dataclasses.asdict(case.model)
    if case.model.name == "conv_autoencoder":
      options["widths"] = case.model.widths
    request = {"options": options, "resolution": case.resolution}
    request |= {"kl_weight": KL_WEIGHT, "learning_rate": LEARNING_RATE}
    self._ask({"build": case.name, "path": str(path), **request})
    ours = channels_first(
      np.asarray(jax.jit(case.predict)(weights, images, noise)[0])
    )
    error = np.abs(np.load(path.with_suffix(".npy")) - ours).max()
    if error > TOLERANCE * np.abs(ours).max():
      raise TorchError(f"{case.name}: outputs differ by {error:.2g}")

  def run(self, name: str, part: str, *, compiled: bool) -> Seconds:
    """The time of a call of a network that was built."""
    reply = self._ask({"run": name, "part": part, "compiled": compiled})
    return Seconds(reply["wall"], reply["cpu"])

  def close(self) -> None:
    """End the process."""
    self._process.communicate()

  def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
    assert self._process.stdin and self._process.stdout
    self._process.stdin.write(json.dumps(request) + "\n")
    self._process.stdin.flush()
    line = self._process.stdout.readline()
    if not line:
      raise TorchError("the process of PyTorch ended")
    reply = json.loads(line)
    if "error" in reply:
      raise TorchError(reply["error"])
    return reply


def torch_weights(params: Any) -> dict[str, np.ndarray]:
  """Weights by PyTorch's names, in PyTorch's order of axes."""
  weights = {}
  for path, leaf in jax.tree.leaves_with_path(params["params"]):
    names = keystr(path, simple=True, separator=".").split(".")
    if names[-1] == "kernel":
      leaf = np.moveaxis(leaf, (-1, -2), (0, 1))  # outputs, inputs, rows, ...
    weights[".".join(RENAMED.get(x, x) for x in names)] = leaf
  return weights


def channels_first(x: np.ndarray) -> np.ndarray:
  """Images in PyTorch's order of axes; other arrays as they are."""
  return np.moveaxis(x, -1, 1) if x.ndim == 4 else x
