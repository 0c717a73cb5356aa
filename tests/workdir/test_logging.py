import contextlib
import struct
from typing import Any

import numpy as np
import pytest
from support.faults import full_disk, rows
from tensorboardX.proto import event_pb2

from jaxgen.errors import RunError
from jaxgen.workdir.logging import MetricLog

EVENT: Any = vars(event_pb2)["Event"]


def log(workdir, step, *reports):
  """Resume at `step` and report `(step, {name: value})`s."""
  metrics = MetricLog(workdir, step=step)
  for number, values in reports:
    metrics.scalars(number, values)
  metrics.close()


def events(workdir):
  """All TensorBoard events, in the order of their writing."""
  found = []
  for path in (workdir / "tensorboard").iterdir():
    data = path.read_bytes()
    while data:
      (size,) = struct.unpack("<Q", data[:8])
      found.append(EVENT.FromString(data[12 : 12 + size]))
      data = data[16 + size :]
  return sorted(found, key=lambda event: event.wall_time)


def test_every_step_has_one_row_with_all_that_was_said_of_it(tmp_path):
  reports = [(2, {"loss": 1.5}), (4, {"loss": 1.25}), (4, {"psnr": 20.0})]
  log(tmp_path, 0, *reports, (6, {"loss": 1.0}))
  assert rows(tmp_path) == [
    {"step": "2", "loss": "1.5", "psnr": ""},
    {"step": "4", "loss": "1.25", "psnr": "20"},
    {"step": "6", "loss": "1", "psnr": ""},
  ]


def test_a_resume_forgets_what_came_after_its_step(tmp_path):
  log(tmp_path, 0, *((step, {"loss": step}) for step in range(1, 8)))
  log(tmp_path, 4, (5, {"loss": 50.0}))
  found = [(row["step"], row["loss"]) for row in rows(tmp_path)]
  assert found == [("1", "1"), ("2", "2"), ("3", "3"), ("4", "4"), ("5", "50")]


def test_tensorboard_drops_it_too(tmp_path):
  log(tmp_path, 0, (1, {"loss": 1.0}), (2, {"loss": 2.0}))
  log(tmp_path, 1, (2, {"loss": 20.0}))
  starts = [e.step for e in events(tmp_path) if e.HasField("session_log")]
  assert starts == [1, 2]
  points = [
    (e.step, e.summary.value[0].tag, e.summary.value[0].simple_value)
    for e in events(tmp_path)
    if e.summary.value
  ]
  assert points == [(1, "loss", 1.0), (2, "loss", 2.0), (2, "loss", 20.0)]


def test_a_row_that_a_full_disk_has_cut_is_dropped(tmp_path):
  log(tmp_path, 0, (9, {"loss": 1.0, "mse": 2.0}), (12, {"loss": 3, "mse": 4}))
  path = tmp_path / "metrics.csv"
  whole = path.read_bytes()
  assert whole.endswith(b"12,3,4\r\n")
  for end in (b"2,3,4\r\n", b",3,4\r\n", b",4\r\n"):  # a cut 12 is a 1
    path.write_bytes(whole.removesuffix(end))
    log(tmp_path, 12)
    assert [row["step"] for row in rows(tmp_path)] == ["9"]


def test_a_file_of_rubbish_does_not_keep_a_run_from_going_on(tmp_path):
  rubbish = np.random.default_rng(0).bytes(3000) + b"\nstep,a\n1,2,3\n\0\n"
  (tmp_path / "metrics.csv").write_bytes(rubbish)
  log(tmp_path, 5, (6, {"loss": 1.0}))
  assert rows(tmp_path) == [{"step": "6", "loss": "1"}]


@pytest.mark.parametrize("size", [0, 100])
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, size):
  with contextlib.closing(MetricLog(tmp_path, step=0)) as metrics:
    metrics.scalars(1, {"loss": 1.0})
    with full_disk(size), pytest.raises(RunError, match="(csv|board) could"):
      for step in range(2, 99):
        metrics.scalars(step, {"loss": 1.0})
  whole = [row["step"] for row in rows(tmp_path) if row["loss"]]
  assert whole[0] == "1"


def test_a_full_disk_does_not_block_tensorboard(tmp_path):
  """tensorboardX's own writer waits for ever here."""
  picture = np.zeros((64, 64, 3), np.uint8)
  with contextlib.closing(MetricLog(tmp_path, step=0)) as metrics:
    with full_disk(50), pytest.raises(RunError, match="tensorboard could not"):
      for step in range(99):
        metrics.image(step, "preview", picture)
        metrics.scalars(step, {})
