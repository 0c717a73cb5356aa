"""One of two processes, with two devices each, of `parallel/test_multihost.py`.

peer.py PORT NUMBER FOLDER: computes the laws' quantities, writes them to
FOLDER/NUMBER.npz, exchanges checkpoints, and at last shows how processes end.
"""

import argparse
import pathlib
import socket
import sys

import jax
import numpy as np
from support.checkpoints import restore_state, save_state
from support.programs import (
  first_batch,
  gradient,
  held_out,
  integer_state,
  latents,
  program,
  shardings,
)

from jaxgen.cli import train
from jaxgen.errors import UserError
from jaxgen.parallel.multihost import all_equal, allgather, failure, run_on_all


def main(port: int, number: int, folder: pathlib.Path) -> None:
  join(port, number)
  p = program(None, **{"model.dropout": 0.3, "train.fsdp": True})
  compute = gradient(p)
  found = {
    "loopback_only": loopback_only(port),
    "gradient": flat(compute(first_batch(p, number, 2))),
    "gradient_of_wrong_images": flat(compute(first_batch(p, 0, 2))),
    "held_out": held_out(p)["psnr"],
    "latents": latents(p),
    "shared": allgather(10 + number),
    "same": [all_equal("a text"), all_equal(f"a text of {number}")],
    "failure_of_none": failure(lambda: None),
    "failure_of_one": failure(lambda: fail_on(1, number)),
    "together": how_it_ends(lambda: run_on_all(lambda: fail_on(1, number))),
  }
  exchange_checkpoints(p, folder)
  np.savez(folder / f"{number}.npz", **found)
  allgather(0)  # both have written
  end_alone(number)


def join(port: int, number: int) -> None:
  flags = argparse.ArgumentParser()
  train.add_flags(flags)
  flags = flags.parse_args(
    ["--config=x", "--workdir=x", f"--coordinator=127.0.0.1:{port}"]
    + ["--num_processes=2", f"--process_id={number}"]
  )
  train._initialize_distributed(flags)
  assert jax.process_count() == 2 and jax.device_count() == 4


def loopback_only(port: int) -> bool:
  """Whether nobody listens at the coordinator's port on another address."""
  with socket.socket() as other:
    return other.connect_ex(("127.0.0.2", port)) != 0


def flat(tree) -> np.ndarray:
  return np.concatenate([x.ravel() for x in jax.tree.leaves(tree)])


def fail_on(bad: int, number: int) -> None:
  if number == bad:
    raise UserError(f"I am {number}")


def how_it_ends(action) -> str:
  try:
    action()
  except (UserError, SystemExit) as e:
    return repr(e)
  return "well"


def exchange_checkpoints(p, folder: pathlib.Path) -> None:
  """Restore what one process saved, and save the same for it."""
  want = integer_state(p)
  state = restore_state(folder / "from_one", p.state_shapes)
  whole = jax.jit(lambda x: x, out_shardings=p.layout.replicated)(state)
  jax.tree.map(np.testing.assert_array_equal, whole, want)
  assert shardings(state) == shardings(p.state_shapes)
  save_state(folder / "from_two", state)


def end_alone(number: int) -> None:
  """The second fails, while the first waits for it."""
  try:
    fail_on(1, number)
    allgather(0)
  except BaseException as error:
    train._exit_without_peers(error)
    raise


if __name__ == "__main__":
  main(int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3]))
