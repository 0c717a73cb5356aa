"""Job arrays, submitted to fake schedulers that run them."""

import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest

from jaxgen.cli.main import main
from jaxgen.errors import UserError
from jaxgen.sweeps import Phase, Sweep, jobs

ROOT = pathlib.Path(__file__).parents[2]

# Records how it was called, reads the script as the real one does, runs each
# element of an array, and prints a job's number.
SBATCH = r"""#!/usr/bin/env bash
echo "sbatch $*" >> "$CALLS"
script="${!#}"
elements=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$script")
if [[ $elements ]]; then
  for ((i = 0; i <= elements; i++)); do
    export SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$i
    status=0
    bash "$script" >> "$CALLS.log" 2>&1 || status=$?
    echo "$(basename "$script") $i: $status" >> "$CALLS"
  done
else
  status=0
  bash "$script" >> "$CALLS.log" 2>&1 || status=$?
  echo "$(basename "$script"): $status" >> "$CALLS"
fi
echo "$(wc -l < "$CALLS");cluster"
"""
BSUB = r"""#!/usr/bin/env bash
echo "bsub $*" >> "$CALLS"
script=$(mktemp)
cat > "$script"
name=$(sed -n 's/^#BSUB -J "\(.*\)"/\1/p' "$script")
elements=$(sed 's/.*\[1-\([0-9]*\)\].*/\1/' <<< "$name")
if [[ $name == *\[* ]]; then
  for ((i = 1; i <= elements; i++)); do
    LSB_JOBINDEX=$i bash "$script" >> "$CALLS.log" 2>&1
    echo "$name $i: $?" >> "$CALLS"
  done
else
  bash "$script" >> "$CALLS.log" 2>&1
  echo "$name: $?" >> "$CALLS"
fi
echo "Job <$(wc -l < "$CALLS")> is submitted to queue <normal>."
"""
FLAGS = ["--queue=gpu long", "--memory=48", "--hours=12", "--gpu=l40s"]


@pytest.fixture
def site(tmp_path, monkeypatch):
  """A folder with fake sbatch and bsub on the path."""
  for name, text in (("sbatch", SBATCH), ("bsub", BSUB)):
    path = tmp_path / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
  monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
  monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
  monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "1")
  monkeypatch.chdir(ROOT)
  return tmp_path


def calls(site):
  return (site / "calls").read_text().splitlines()


def checked(folder):
  """The scripts in a folder, each checked by bash."""
  found = sorted(folder.glob("*.sh"))
  for path in found:
    subprocess.run(["bash", "-n", path], check=True)
  return {path.name: path.read_text() for path in found}


@pytest.mark.slow
def test_a_sweep_runs_through_both_schedulers(site):
  """SLURM trains it; LSF then skips all finished runs, and decides again."""
  workdir = site / "a folder's"
  command = ["sweep", f"--config={ROOT}/tests/support/toy_sweep.py:two"]
  command += [f"--workdir={workdir}", "--submit", "--launcher"]
  assert main([*command, "slurm"]) == 0
  first, *rest = calls(site)
  assert first.startswith("sbatch --parsable") and rest == [
    "one.sh 0: 0",
    "one.sh 1: 0",
    f"sbatch --parsable --dependency=afterany:3 {workdir}/jobs/one-collect.sh",
    "one-collect.sh: 0",
  ], (site / "calls.log").read_text()
  for run in ("latent_dim_4", "latent_dim_16"):
    outcome = json.loads((workdir / "one" / run / "outcome.json").read_text())
    assert outcome["measures"]["mse"] > 0
  choice = workdir / "one/choice.json"
  assert (workdir / "one/report.html").exists()
  choice.unlink()
  (site / "calls").unlink()
  assert main([*command, "lsf"]) == 0
  assert calls(site) == [
    "bsub ",
    "one[1-2] 1: 0",
    "one[1-2] 2: 0",
    "bsub -w ended(3)",
    "one-collect: 0",
  ]
  assert choice.exists()


@pytest.mark.parametrize("kind", ["slurm", "lsf"])
def test_flags_reach_the_scripts_and_nothing_is_submitted(kind, site, capsys):
  workdir = site / "w"
  command = [
    "sweep",
    f"--config={ROOT}/tests/support/toy_sweep.py",
    f"--workdir={workdir}",
  ]
  more = ["--job_option=--account=rocks", "--parallel=2", f"--launcher={kind}"]
  assert main([*command, *FLAGS, *more]) == 0
  assert not (site / "calls").exists()
  assert str(workdir / "jobs/submit.sh") in capsys.readouterr().out
  scripts = checked(workdir / "jobs")
  assert set(scripts) == {
    "one.sh", "one-collect.sh", "two.sh", "two-collect.sh", "submit.sh"
  }  # fmt: skip
  head = scripts["one.sh"].partition("set -euo")[0]
  wanted = {
    "slurm": ["--array=0-2%2", "--mem=48G", "--time=12:00:00", "--gpus=l40s:1"],
    "lsf": ['-J "one[1-3]%2"', "-M 48GB", "-W 12:00", "gmodel=l40s", "-Q 99"],
  }[kind]
  for x in [*wanted, "gpu long", "--account=rocks"]:
    assert x in head
  assert "l40s" not in scripts["one-collect.sh"]
  order = re.findall(r"/([^/]*)\.sh", scripts["submit.sh"])
  assert order == ["one", "one-collect", "two", "two-collect"]
  conditions = re.findall(r"(after\w+|ended|done)", scripts["submit.sh"])
  assert (
    conditions
    == {
      "slurm": ["afterany", "afterok", "afterany"],
      "lsf": ["ended", "done", "ended"],
    }[kind]
  )


def test_hostile_names_stay_names(tmp_path):
  """The name of a run is only data for bash."""
  name = "$(touch oops) `touch oops` 'x' \"y\""
  phase = Phase(name="it's", runs={name: {}})
  sweep = Sweep(base="", phases=(phase,))
  jobs.write_jobs(sweep, tmp_path, scheduler="slurm", options=jobs.JobOptions())
  script = checked(tmp_path / "jobs")["it's.sh"]
  array = re.search(r"^runs=.*$", script, re.MULTILINE)
  assert array
  echo = f'{array[0]}\nprintf %s "${{runs[0]}}"'
  said = subprocess.run(
    ["bash", "-c", echo], capture_output=True, text=True, cwd=tmp_path
  )
  assert said.stdout == f"it's/{name}" and not (tmp_path / "oops").exists()


@pytest.mark.parametrize("kind", ["slurm", "lsf"])
def test_a_stopped_run_goes_back_into_the_queue(kind, tmp_path):
  """SLURM requeues by scontrol, LSF by the exit status."""
  phase = Phase(name="p", runs={"r": {}})
  sweep = Sweep(base="", phases=(phase,))
  jobs.write_jobs(sweep, tmp_path, scheduler=kind, options=jobs.JobOptions())
  path = tmp_path / "jobs/p.sh"
  text = re.sub(
    r"^\S*python\S* -m jaxgen sweep.*\\\n.*&$",
    FAKE,
    path.read_text(),
    flags=re.M,
  )
  assert FAKE in text
  path.write_text(text)
  note = tmp_path / "bin/scontrol"
  note.parent.mkdir()
  note.write_text('#!/usr/bin/env bash\necho "$*" > "$NOTE"\n')
  note.chmod(0o755)
  environment = os.environ | {
    "PATH": f"{note.parent}:{os.environ['PATH']}",
    "NOTE": str(tmp_path / "note"),
    "SLURM_ARRAY_JOB_ID": "7",
    "SLURM_ARRAY_TASK_ID": "0",
    "LSB_JOBINDEX": "1",
  }
  job = subprocess.Popen(
    ["bash", path], env=environment, stdout=subprocess.PIPE
  )
  assert job.stdout and job.stdout.readline() == b"trains\n"
  job.terminate()
  job.communicate(timeout=30)
  assert job.returncode == 99
  if kind == "slurm":
    assert (tmp_path / "note").read_text() == "requeue 7_0\n"


@pytest.mark.parametrize("kind", ["slurm", "lsf"])
@pytest.mark.parametrize(
  ("flag", "options"),
  [
    ("--queue", {"queue": "gpu\nrm -rf x"}),
    ("--gpu", {"gpu": "a\x1b[2J"}),
    ("--job_option", {"extra": ("--account=a", "--x=\r1")}),
    ("--job_option", {"extra": ("--comment='open",)}),
  ],
)
def test_options_that_leave_their_line_are_refused(
  kind, tmp_path, flag, options
):
  sweep = Sweep(base="", phases=(Phase(name="p", runs={"r": {}}),))
  given = jobs.JobOptions(**options)
  with pytest.raises(UserError, match=f"^{flag}="):
    jobs.write_jobs(sweep, tmp_path, scheduler=kind, options=given)
  assert not (tmp_path / "jobs").exists()


@pytest.mark.parametrize("kind", ["slurm", "lsf"])
def test_every_option_and_path_is_quoted(kind, tmp_path):
  """Words of a directive are split as by a shell, which expands nothing."""
  hostile = "a b'\"$(touch oops)`touch oops`"
  workdir = tmp_path / os.fsdecode(b"caf\xe9 " + os.fsencode(hostile))
  sweep = Sweep(base="", phases=(Phase(name=hostile, runs={hostile: {}}),))
  options = jobs.JobOptions(
    queue=hostile, gpu=hostile, extra=("-P 'my project'", "--comment=mine")
  )
  jobs.write_jobs(sweep, workdir, scheduler=kind, options=options)
  folder = workdir / "jobs"
  for path in folder.glob("*.sh"):
    subprocess.run(["bash", "-n", path], check=True)
  text = (folder / f"{hostile}.sh").read_bytes().decode(**ESCAPED)
  words = shlex.split("\n".join(re.findall("(?m)^#[SB][A-Z]+ (.*)$", text)))
  for word in (f"{hostile}:1" if kind == "slurm" else f"gmodel={hostile}",):
    assert any(x.endswith(word) for x in words)
  assert any(hostile in x and x.endswith(".log") for x in words)
  assert {"-P", "my project", "--comment=mine"} <= set(words)
  assert hostile in words or f"--partition={hostile}" in words


ESCAPED = {"errors": "surrogateescape"}

# In place of a training run, which test_kill.py stops for real.
FAKE = (
  'bash -c \'trap "exit 99" TERM; echo trains; for i in {1..300}; do '
  "sleep 0.1; done' &"
)
