"""The memory limit of a process."""

from jaxgen.parallel.memory import group_limit


def test_the_least_limit_of_all_groups_counts(tmp_path):
  own = tmp_path / "cgroup"
  own.write_text("12:cpu:/x\n0::/slurm/job_7/step_0\n")
  root = tmp_path / "fs"
  job = root / "slurm" / "job_7"
  (job / "step_0").mkdir(parents=True)
  assert group_limit(root, own) is None
  (root / "memory.max").write_text("9000\n")
  (job / "step_0" / "memory.max").write_text("max\n")
  assert group_limit(root, own) == 9000
  (job / "memory.max").write_text("700\n")
  assert group_limit(root, own) == 700
  (tmp_path / "memory.max").write_text("1\n")  # above the root
  assert group_limit(root, own) == 700
  assert group_limit(root, tmp_path / "nowhere") == 9000
