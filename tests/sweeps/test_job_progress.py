"""The progress of a run of a sweep is that of its metrics."""

from support.faults import ROOT

from jaxgen import progress
from jaxgen.config.files import load_config
from jaxgen.sweeps import job_progress
from jaxgen.sweeps.job_progress import JobProgress
from jaxgen.sweeps.run_folder import RunFolder

SMOKE = f"{ROOT}/configs/textures_patch_ae.py:smoke"


def test_images_are_reported_as_they_are_logged(tmp_path, monkeypatch):
  monkeypatch.setattr(job_progress, "SECONDS", 0.0)
  seen = []

  def display(loops):
    seen.append([(x.label, x.done, x.total) for x in loops])

  config = load_config(SMOKE, []).to_dict()
  with progress.displayed(display):
    job = JobProgress("a/b", RunFolder(path=tmp_path, config=config))
    job.update()
    for row in ("1,32", "9,288"):
      with (tmp_path / "metrics.csv").open("a") as file:
        file.write(f"step,images\n{row}\n" if row == "1,32" else f"{row}\n")
      job.update()
    job.close()
  assert seen[:-1] == [
    [("a/b", 0, 960)],
    [("a/b", 32, 960)],
    [("a/b", 288, 960)],
    [],
  ]


def test_a_config_that_does_not_parse_has_no_total(tmp_path):
  folder = RunFolder(path=tmp_path, config={"task": "none"})
  with progress.displayed(lambda loops: None):
    job = JobProgress("a", folder)
    job.update()
    job.close()
