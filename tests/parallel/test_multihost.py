"""Laws of processes: two, on loopback, give the results of one."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from support.checkpoints import restore_state, save_state
from support.programs import (
  CONFIG,
  ROUNDING,
  SMALL,
  VISIBLE,
  config,
  distance,
  first_batch,
  gradient,
  held_out,
  integer_state,
  latents,
  of_config,
  program,
  shardings,
)

from jaxgen.cli import train as train_cli
from jaxgen.config.parse import parse
from jaxgen.planning.autobatch import train_in_memory
from jaxgen.train.transfer import transfer_state

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]


def environment(devices):
  """Programs are not optimized: the second process compiles all of its own
  every time, as JAX lets only the first write to the cache."""
  return os.environ | {
    "JAX_NUM_CPU_DEVICES": str(devices),
    "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
    "XLA_FLAGS": "--xla_backend_optimization_level=0",
  }


@pytest.fixture(scope="module")
def two(tmp_path_factory):
  """What two processes with two devices each found, and how they ended."""
  folder = tmp_path_factory.mktemp("two")
  save(program(8, **{"train.fsdp": True}), folder / "from_one")
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
  peers = []
  for number in range(2):
    with (folder / f"{number}.log").open("w") as log:
      argv = [sys.executable, ROOT / "tests/support/peer.py"]
      argv += [str(port), str(number), folder]
      output = {"stdout": log, "stderr": subprocess.STDOUT}
      peers.append(subprocess.Popen(argv, env=environment(2), **output))
  peers[1].wait(180)
  begin = time.monotonic()
  peers[0].wait(180)
  survived = time.monotonic() - begin
  ends = [peer.returncode for peer in peers]
  said = [(folder / f"{number}.log").read_text() for number in range(2)]
  assert (folder / "0.npz").exists() and (folder / "1.npz").exists(), said
  found = [dict(np.load(folder / f"{number}.npz")) for number in range(2)]
  return folder, found, (ends, survived)


def save(p, workdir):
  state = jax.device_put(integer_state(p), shardings(p.state_shapes))
  save_state(workdir, state)


def restore(p, workdir, **keywords):
  return restore_state(workdir, p.state_shapes, **keywords)


def flat(tree):
  return np.concatenate([x.ravel() for x in jax.tree.leaves(tree)])


def test_the_gradient_is_that_of_one_process(two):
  """Dropout included: the processes' shares make up the same batch, in the same
  order. With the wrong share on one of them the check would fail."""
  _, found, _ = two
  one = program(1, **{"model.dropout": 0.3})
  want = flat(gradient(one)(first_batch(one)))
  for process in found:
    assert distance(process["gradient"], want) < ROUNDING
    assert distance(process["gradient_of_wrong_images"], want) > VISIBLE
  np.testing.assert_array_equal(found[0]["gradient"], found[1]["gradient"])


def test_held_out_metrics_and_the_bank_are_those_of_one_process(two):
  one = program(1)
  for process in two[1]:
    assert process["held_out"] == pytest.approx(held_out(one)["psnr"], rel=1e-5)
    np.testing.assert_allclose(process["latents"], latents(one), 1e-4, 1e-5)


def test_checkpoints_pass_between_one_and_two_processes(two):
  """Bit by bit; the way there, from 8 devices, is checked by the processes."""
  folder = two[0]
  for p in (program(1), program(8, **{"train.fsdp": True})):
    got = restore(p, folder / "from_two")
    want = integer_state(p)
    assert jax.tree.structure(got) == jax.tree.structure(want)
    equal = jax.tree.map(lambda a, b: bool((a == b).all()), got, want)
    assert all(jax.tree.leaves(equal))


def test_all_processes_learn_what_failed_on_one(two):
  first, second = two[1]
  for process in (first, second):
    assert process["shared"].tolist() == [10, 11]
    assert process["same"].tolist() == [True, False]
    assert process["failure_of_none"] == ""
  assert first["failure_of_one"] == "it failed on another process"
  assert second["failure_of_one"] == "I am 1"
  assert first["together"] == "SystemExit(2)"
  assert second["together"] == "UserError('I am 1')"


def test_the_coordinator_of_a_rehearsal_listens_on_loopback_only(two):
  assert two[1][0]["loopback_only"]


def test_a_process_that_fails_takes_the_others_along(two):
  """At once: not when its silence is noticed, let alone after minutes."""
  (first, second), survived = two[2]
  assert second == 2 and first == 1
  assert survived < train_cli.HEARTBEAT / 2


FLAGS = SMALL | {
  "optimizer.name": "adamw",
  "optimizer.learning_rate": 0.001,
  "stages.resolution": (16, 24),
  "stages.patch_size": (4, 6),
  "stages.images": (640, 320),
  "train.log_images": 32,
  "train.evaluate_images": 32,  # slow steps, which a signal can come between
  "train.save_images": 0,
  "train.preview_images": 0,
  "train.latent_cache_tiles": 32,
}


def launcher(site):
  """The launcher in a folder whose environment is that of the tests."""
  script = site / "scripts/launch_local.sh"
  if not script.exists():
    script.parent.mkdir()
    script.symlink_to(ROOT / "scripts/launch_local.sh")
    (site / ".venv").symlink_to(sys.prefix)
  return script


def launch(workdir, stop_at=None):
  """Train with two processes; SIGTERM to the launcher when a line begins so."""
  flags = [f"--config.{key}={value}" for key, value in FLAGS.items()]
  run = subprocess.Popen(
    [launcher(workdir.parent), "2", f"--config={CONFIG}:smoke"]
    + [f"--workdir={workdir}", *flags],
    env=environment(1),
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )
  said = []
  with run:
    for line in run.stdout or ():
      said.append(line)
      if stop_at and line.startswith(stop_at):
        run.send_signal(signal.SIGTERM)
  return run.returncode, "".join(said)


def start_two(folder, flags, script):
  """Start two processes that train in `folder`/run, and name their logs."""
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
  command = [sys.executable, *script, f"--config={CONFIG}:smoke"]
  command += [f"--config.{key}={value}" for key, value in flags.items()]
  command += [f"--workdir={folder / 'run'}", "--num_processes=2"]
  command += [f"--coordinator=127.0.0.1:{port}"]
  logs = [folder / f"{number}.log" for number in range(2)]
  peers = []
  for number, log in enumerate(logs):
    with log.open("w") as file:
      argv = [*command, f"--process_id={number}"]
      output = {"stdout": file, "stderr": subprocess.STDOUT}
      peers.append(subprocess.Popen(argv, env=environment(1), **output))
  return peers, logs


def test_the_death_of_a_process_is_one_line_to_the_others(tmp_path):
  peers, logs = start_two(tmp_path, FLAGS | LONG, ["-m", "jaxgen", "train"])
  try:
    end = time.monotonic() + 180
    while "step 20 " not in logs[0].read_text() and time.monotonic() < end:
      time.sleep(0.05)
    peers[1].kill()
    assert peers[0].wait(60) == 1
  finally:
    for peer in peers:
      peer.kill()
      peer.wait()
  said = logs[0].read_text()
  assert "Traceback" not in said
  assert re.search(r"(?m)^error: another process of this run has ended", said)


def test_all_halve_the_batch_that_does_not_fit_on_one(tmp_path):
  """The second stage, on the second process; both go on with it halved."""
  script = [ROOT / "tests/support/scarce_peer.py", "train"]
  peers, logs = start_two(tmp_path, FLAGS | BRIEF, script)
  try:
    ends = [peer.wait(600) for peer in peers]
  finally:
    for peer in peers:
      peer.kill()
      peer.wait()
  said = [log.read_text() for log in logs]
  assert ends == [0, 0], said
  assert said[0].count("stage 2: out of memory; restarting") == 1
  decisions = json.loads((tmp_path / "run/fit.json").read_text())
  assert [x["accumulate"] for x in decisions.values()] == [2]
  assert steps(tmp_path / "run")[-1] == 4


BRIEF = {"stages.images": (64, 64), "train.evaluate_images": 64}
LONG = {"stages.images": (64_000, 64_000), "train.evaluate_images": 0}


def steps(workdir):
  return sorted(int(path.name) for path in (workdir / "checkpoints").iterdir())


def test_two_processes_stop_together_and_go_on(tmp_path):
  """SIGTERM; then the end, a stage of larger images and patches later, is that
  of one process that was never stopped."""
  status, said = launch(tmp_path / "two", stop_at="[0] stage 1/2  step 3 ")
  assert status == 128 + signal.SIGTERM, said
  (stop,) = re.findall(r"(?m)^\[\d\] stopped by .*: step (\d+) is saved", said)
  assert steps(tmp_path / "two") == [int(stop)] and 3 <= int(stop) < 30
  status, said = launch(tmp_path / "two")
  assert status == 0, said
  assert f"[0] resuming at step {stop} " in said
  assert "[0] finished: 960 images, 30 steps" in said
  assert not re.search(r"(?m)^\[1\] (resum|step|finished)", said)

  experiment = parse(config(**FLAGS))
  one = jax.devices()[:1]
  assert train_in_memory(experiment, tmp_path / "one", devices=one)
  first, second = of_config(config(**FLAGS), 1)
  start = transfer_state(first.fresh_state(), first, second).params
  moved = [
    jax.tree.map(
      lambda a, b: np.asarray(a - b),
      restore(second, tmp_path / name, saved_here=False).params,
      start,
    )
    for name in ("one", "two")
  ]
  assert distance(*moved) < 1e-3
