"""The launchers, with stand-ins for jaxgen and for the clusters' commands.

`parallel/test_multihost.py` runs the local launcher with jaxgen itself.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

SCRIPTS = pathlib.Path(__file__).parents[1] / "scripts"
FLAGS = ["--config=configs/a.py", "--config.x=(1, 2)", "--workdir=some where"]

# Writes down its arguments one a line; then ends at once, fails, or waits.
STAND_IN = r"""#!/usr/bin/env bash
me=$(basename "$0")
log="$CALLS/$me-$(ls "$CALLS" | wc -l)-$$"
printf '%s\n' "$@" > "$log"
echo "$me speaks"
case "${DO:-}" in
  wait) trap 'echo "$me stopped"; exit 143' TERM ;;
  fail) [[ "$*" == *--process_id=1* ]] && exit 3; trap "" TERM ;;
  *) exit 0 ;;
esac
mv "$log" "$log.ready"
for _ in {1..300}; do sleep 0.1; done
"""

# Signals the waiting srun, whose process number is in the name of its file.
SCANCEL = r"""#!/usr/bin/env bash
echo "scancel $*"
found=("$CALLS"/srun-*.ready)
number=${found[0]%.ready}
kill "-${1#--signal=}" "${number##*-}"
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
  """A copy of the launchers beside an environment of stand-ins."""
  (tmp_path / "calls").mkdir()
  shutil.copytree(SCRIPTS, tmp_path / "scripts")
  monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
  monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
  stand_in(tmp_path / ".venv/bin/jaxgen", STAND_IN)
  return tmp_path


def stand_in(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)
  path.chmod(0o755)


def launch(site, name, *args, **env):
  return subprocess.Popen(
    [f"scripts/launch_{name}.sh", *args],
    cwd=site,
    env=os.environ | env,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def calls(site, name, ready=False):
  """The arguments of each call of a stand-in, in no order."""
  pattern = f"{name}-*.ready" if ready else f"{name}-*"
  found = sorted((site / "calls").glob(pattern))
  return [path.read_text().splitlines() for path in found]


def until_waiting(site, name, count=1):
  end = time.monotonic() + 20
  while len(calls(site, name, ready=True)) < count:
    assert time.monotonic() < end, "it was never called"
    time.sleep(0.02)


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.sh")), ids=str)
def test_scripts_are_sound_bash(path):
  subprocess.run(["bash", "-n", path], check=True)
  assert "\nset -euo pipefail\n" in path.read_text()
  assert os.access(path, os.X_OK)


@pytest.mark.parametrize("name", ["local", "lsf", "tpu"])
def test_a_launcher_without_arguments_says_how_it_is_used(site, name):
  run = launch(site, name)
  said, _ = run.communicate(timeout=60)
  assert run.returncode == 2 and said.startswith("usage: ")


def test_local_processes_get_the_flags_and_a_number_each(site):
  run = launch(site, "local", "3", *FLAGS)
  said, _ = run.communicate(timeout=60)
  assert run.returncode == 0
  found = sorted(calls(site, "jaxgen"), key=lambda call: call[-1])
  for i, call in enumerate(found):
    assert call[:4] == ["train", *FLAGS] and call[-1] == f"--process_id={i}"
    assert call[-2] == "--num_processes=3" and call[4] == found[0][4]
    assert call[4].startswith("--coordinator=127.0.0.1:")
    assert f"[{i}] jaxgen speaks" in said


def test_local_processes_end_when_one_of_them_fails(site):
  """Also those that would not listen; the status is that of the first."""
  run = launch(site, "local", "3", *FLAGS, DO="fail")
  said, _ = run.communicate(timeout=60)  # their output ends when they do
  assert run.returncode == 3 and "process 1 failed with status 3" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_local_processes(site, number):
  run = launch(site, "local", "2", *FLAGS, DO="wait")
  until_waiting(site, "jaxgen", 2)
  run.send_signal(number)
  said, _ = run.communicate(timeout=60)
  assert run.returncode == 143 and "failed" not in said
  assert "[0] jaxgen stopped" in said and "[1] jaxgen stopped" in said


def test_slurm_requeues_what_the_time_limit_stopped(site):
  for name in ("srun", "scontrol"):
    stand_in(site / "bin" / name, STAND_IN)
  stand_in(site / "bin/scancel", SCANCEL)
  run = launch(site, "slurm", *FLAGS, DO="wait", SLURM_JOB_ID="7")
  until_waiting(site, "srun")
  stand_in(site / "bin/scontrol", STAND_IN.replace("${DO:-}", ""))
  run.send_signal(signal.SIGUSR1)
  said, _ = run.communicate(timeout=60)
  assert run.returncode == 0
  assert "scancel --signal=TERM 7" in said and "srun stopped" in said
  (call,) = calls(site, "srun")
  assert call[-6:] == ["jaxgen", "train", "--distributed", *FLAGS]
  assert calls(site, "scontrol") == [["requeue", "7"]]


def test_slurm_does_not_requeue_what_is_finished(site):
  for name in ("srun", "scontrol"):
    stand_in(site / "bin" / name, STAND_IN)
  run = launch(site, "slurm", *FLAGS, SLURM_JOB_ID="7")
  run.communicate(timeout=60)
  assert run.returncode == 0 and not calls(site, "scontrol")


def test_lsf_submits_itself(site):
  stand_in(site / "bin/bsub", STAND_IN)
  run = launch(site, "lsf", "2", *FLAGS)
  run.communicate(timeout=60)
  (call,) = calls(site, "bsub")
  assert run.returncode == 0
  assert call[-4:] == ["scripts/launch_lsf.sh", *FLAGS]
  assert call[call.index("-n") + 1] == "2"


@pytest.mark.parametrize("killed", [False, True])
def test_lsf_requeues_what_the_time_limit_stopped(site, killed):
  stand_in(site / "bin/blaunch", STAND_IN)
  (site / "hosts").write_text("host-b\nhost-a\n")
  inside = {"LSB_JOBID": "12345", "LSB_DJOB_HOSTFILE": "hosts", "DO": "wait"}
  run = launch(site, "lsf", *FLAGS, **inside)
  until_waiting(site, "blaunch", 2)
  if killed:
    run.send_signal(signal.SIGINT)  # bkill's first
    time.sleep(0.2)
  run.send_signal(signal.SIGTERM)
  run.communicate(timeout=60)
  assert run.returncode == (143 if killed else 99)
  jaxgen = str(site / ".venv/bin/jaxgen")
  assert sorted(calls(site, "blaunch"), key=lambda call: call[-1]) == [
    ["-no-shell", host, jaxgen, "train", *FLAGS]
    + ["--coordinator=host-b:22345", "--num_processes=2", f"--process_id={i}"]
    for i, host in enumerate(["host-b", "host-a"])
  ]


def test_tpu_hosts_run_the_command_and_can_be_stopped(site):
  """The stand-in for gcloud is one host, on which it runs the command."""
  shutil.copytree(site / ".venv", site / "home/jaxgen/.venv")
  remote = '#!/usr/bin/env bash\nexec bash -c "${!#/--command=/}"\n'
  stand_in(site / "bin/gcloud", remote)
  home = {"HOME": str(site / "home"), "DO": "wait"}
  run = launch(site, "tpu", "name", "zone", *FLAGS, **home)
  until_waiting(site, "jaxgen")
  run.send_signal(signal.SIGTERM)
  said, _ = run.communicate(timeout=60)
  assert run.returncode == 143 and "jaxgen stopped" in said
  assert calls(site, "jaxgen") == [["train", "--distributed", *FLAGS]]
