"""What a first day on a GPU trains, with a stand-in for jaxgen."""

import importlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
sys.path.append(str(SCRIPTS))
day = importlib.import_module("first_gpu_day")

SPEED = {
  "devices": "1 x GPU",
  "train_images_per_second": 1000.0,
  "data_images_per_second": 100.0,
  "share_of_matrix_product": 0.25,
  "data_over_training": 0.1,
}
# Writes down its arguments; makes what benchmark and train leave behind.
STAND_IN = r"""#!/usr/bin/env bash
echo "$*" >> "$CALLS"
for x in "$@"; do
  case "$x" in
    --json=*) echo "$SPEED" > "${x#--json=}" ;;
    --workdir=*) mkdir -p "${x#--workdir=}" ;;
  esac
done
[[ "$*" != "train "*"${FAILS:-nothing}"* ]]
"""


@pytest.mark.parametrize(
  "seconds, tiles, expected",
  [
    (300, 0, 100 * 270),  # each image is made anew
    (
      300,
      17_000,
      17_000 + 1000 * 100,
    ),  # one pass takes 170 s, then from memory
    (300, 50_000, 100 * 270),  # the first pass is not finished
  ],
)
def test_images_fit_the_time(seconds, tiles, expected):
  images = day.number_of_images(SPEED, seconds=seconds, tiles=tiles)
  assert images == expected // day.ROUND * day.ROUND


def test_a_row_replaces_that_of_the_same_config_and_device():
  page = "# Benchmarks\n\n## Other\n\nText.\n"
  for row in (
    ["a", "x", "1"],
    ["b", "x", "2"],
    ["a", "y", "3"],
    ["a", "x", "4"],
  ):
    page = day.with_row(page, row)
  assert page.startswith("# Benchmarks\n\n## Other\n\nText.\n\n## ")
  rows = [x for x in page.splitlines() if x.startswith(("| a", "| b"))]
  assert rows == ["| b | x | 2 |", "| a | y | 3 |", "| a | x | 4 |"]
  page = page.replace("25 minutes", "Some minutes")  # edited by hand
  after = day.with_row(page + "\n## Next\n\nMore.\n", ["c", "x", "5"])
  assert after.count("| config |") == 1
  assert after.endswith("| c | x | 5 |\n\n## Next\n\nMore.\n")
  assert after.count(day.TITLE) == 1


@pytest.fixture
def site(tmp_path, monkeypatch):
  """A copy of the scripts beside an environment of stand-ins."""
  for name in ("first_gpu_day.sh", "first_gpu_day.py"):
    (tmp_path / "scripts").mkdir(exist_ok=True)
    (tmp_path / "scripts" / name).write_bytes((SCRIPTS / name).read_bytes())
  stand_ins = tmp_path / ".venv/bin"
  stand_ins.mkdir(parents=True)
  python = f'#!/usr/bin/env bash\nexec "{sys.executable}" "$@"\n'
  for name, text in (("jaxgen", STAND_IN), ("python3", python)):
    (stand_ins / name).write_text(text)
    (stand_ins / name).chmod(0o755)
  monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
  monkeypatch.setenv("SPEED", str(SPEED).replace("'", '"'))
  monkeypatch.setenv("PYTHONPATH", str(ROOT))
  monkeypatch.setenv("PAGE", str(tmp_path / "page.md"))
  return tmp_path


def launch(site, status=0, **env):
  done = subprocess.run(
    ["bash", "scripts/first_gpu_day.sh", "day"],
    cwd=site,
    env=os.environ | env,
    capture_output=True,
    text=True,
  )
  assert done.returncode == status, done.stderr
  calls = (site / "calls").read_text().splitlines()
  (site / "calls").unlink()
  return [x.split()[0] for x in calls], calls


def test_runs_follow_in_order_and_are_not_repeated(site):
  verbs, calls = launch(site, CIFAR10="pictures", FACES="celeb_a@sets")
  assert verbs == ["benchmark", "train", "evaluate"] * 4
  trained = [x for x in calls if x.startswith("train")]
  for name, call in zip(
    ("rocks_edm", "rocks_patch_ae_256", "cifar10_edm", "faces_vae"),
    trained,
    strict=True,
  ):
    assert f"configs/{name}.py " in call and f"--workdir=day/{name}" in call
    assert "--config.stages.images=(" in call
  assert "data.source=folder --config.data.path=pictures" in trained[2]
  assert "data.source=tfds --config.data.path=celeb_a@sets" in trained[3]
  assert "--config.kl.start_images=" in trained[3]
  page = (site / "page.md").read_text()
  assert page.count("| GPU |") == 4
  (site / "calls").touch()
  assert launch(site, CIFAR10="pictures", FACES="celeb_a@sets") == ([], [])


def test_a_failed_run_does_not_stop_the_others_and_is_tried_again(site):
  verbs, _ = launch(site, status=1, FAILS="rocks_edm")
  assert verbs == ["benchmark", "train", "benchmark", "train", "evaluate"]
  verbs, calls = launch(site)  # at the speed and size of before
  assert verbs == ["train", "evaluate"] and "rocks_edm" in calls[0]


WAITING = r"""
[[ $1 == train ]] || exit 0
trap 'echo INT >> "$CALLS"' INT
trap 'echo TERM >> "$CALLS"; exit 0' TERM
echo ready >> "$CALLS"
while true; do sleep 0.1; done
"""


def test_ctrl_c_reaches_a_training_as_one_sigterm(site):
  """Two signals would end it without a checkpoint."""
  calls = site / "calls"
  (site / ".venv/bin/jaxgen").write_text(STAND_IN + WAITING)
  process = subprocess.Popen(
    ["bash", "scripts/first_gpu_day.sh", "day"],
    cwd=site,
    start_new_session=True,
    stdout=subprocess.PIPE,
    text=True,
  )
  while not calls.exists() or "ready" not in calls.read_text():
    assert process.poll() is None
    time.sleep(0.05)
  os.killpg(process.pid, signal.SIGINT)
  output, _ = process.communicate(timeout=60)
  assert process.returncode == 128 + signal.SIGINT and "resumes" in output
  assert calls.read_text().split("ready\n")[1] == "TERM\n"
