import os
import pathlib
import shutil
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.faults import full_disk, steps

from jaxgen.errors import RunError, UserError
from jaxgen.workdir import checksums
from jaxgen.workdir.checkpoint_reader import CheckpointReader
from jaxgen.workdir.checkpoint_recovery import restore_newest
from jaxgen.workdir.checkpoints import Checkpoints
from jaxgen.workdir.checksums import Evidence

# What TensorStore's threads say of the damage done here.
pytestmark = pytest.mark.filterwarnings(
  "ignore:coroutine", "ignore::pytest.PytestUnraisableExceptionWarning"
)
TX = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))


def trees(step: int, size: int = 3000, tx=TX, **more: jax.Array) -> dict:
  """What a run saves; another number in every place for another step."""
  noise = jax.random.normal(jax.random.key(step), (size,))
  params = {"w": noise, "b": {"c": noise[:16].reshape(4, 4)}, **more}
  count = jnp.uint32(step)
  state = {"step": count, "params": params, "opt_state": tx.init(params)}
  return {"state": state, "ema": params}


def shapes(like: dict) -> dict:
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like
  )


def restore(store: Checkpoints, like: dict | None = None):
  return restore_newest(store, lambda _: shapes(like or trees(0)))


def ema_shapes() -> dict:
  return {"ema": shapes(trees(0)["ema"])}


@pytest.fixture
def opened(tmp_path):
  """A function that opens a workdir; all are closed at the end."""
  stores = []

  def open_(workdir=tmp_path, kind=Checkpoints, **options) -> Checkpoints:
    stores.append(kind(workdir, metric="psnr", **options))
    return stores[-1]

  yield open_
  for store in stores:
    store.close()


def save(store: Checkpoints, step: int, psnr: float | None = None) -> None:
  scores = None if psnr is None else {"psnr": psnr, "ssim": 0.5}
  meta = {"stage": 0, "data": "x"}
  store.save(step, trees(step), metadata=meta, scores=scores)
  store.wait()


def restored(store: Checkpoints) -> int:
  """The step that is restored, after a look at its bits."""
  kept = restore(store)
  assert kept is not None
  found, meta = kept
  assert meta == {"stage": 0, "data": "x"}
  step = int(found["state"]["step"])
  jax.tree.map(np.testing.assert_array_equal, found, trees(step))
  return step


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> pathlib.Path:
  """A workdir with checkpoints 1, 2, 3, to be copied."""
  workdir = tmp_path_factory.mktemp("three")
  store = Checkpoints(workdir, metric="psnr", max_to_keep=3)
  for step in (1, 2, 3):
    save(store, step, psnr=float(step))
  store.close()
  return workdir


@pytest.fixture
def copy(three, tmp_path) -> pathlib.Path:
  return shutil.copytree(three, tmp_path / "copy")


def test_what_is_restored_is_what_was_saved(copy, opened):
  assert restored(opened(copy)) == 3


def test_an_empty_workdir_has_nothing_to_restore(opened):
  assert restore(opened()) is None


@pytest.mark.parametrize("keep", [1, 2])
def test_the_newest_few_and_the_best_are_kept(opened, tmp_path, keep):
  """The metric peaks in the middle; some saves have none, one has no number;
  and the run is resumed twice."""
  psnr = [10, 12, 15, None, float("nan"), 14, 13, None, 11]
  for start in (0, 3, 6):
    store = opened(max_to_keep=keep)
    for step in range(start, start + 3):
      save(store, step, psnr[step])
      known = [s for s in range(step + 1) if s not in (3, 4, 7)]
      best = max(known, key=lambda s: psnr[s])
      newest = range(step + 1)[-keep:]
      assert steps(tmp_path) == store.steps == sorted({best, *newest})
      assert store.best() == best
    store.close()
  kept = {int(p.stem) for p in (tmp_path / "checksums").glob("*.json")}
  assert kept == set(steps(tmp_path))


def wait_for_writers(folder):
  """Until threads of a failed save write no more; they end with a process."""
  before = None
  while before != (now := sorted(folder.rglob("*"))):
    before = now
    time.sleep(0.5)


def test_a_save_that_fails_loses_nothing_and_can_be_repeated(opened, tmp_path):
  """On a disk that is really full, with one checkpoint to keep."""
  store = opened(max_to_keep=1)
  save(store, 1)
  with (
    full_disk(5_000),
    pytest.raises(RunError, match="checkpoint 2 could not"),
  ):
    save(store, 2)
  assert steps(tmp_path) == [1]
  store.close()
  wait_for_writers(tmp_path)
  again = opened(max_to_keep=1)
  assert restored(again) == 1
  save(again, 2)
  assert restored(again) == 2 and steps(tmp_path) == [2]


def test_a_failure_in_the_background_is_raised_by_the_next_call(opened):
  store = opened()
  with full_disk(5_000):
    store.save(1, trees(1), metadata={"stage": 0})
    while not store._pending.done():
      pass
  with pytest.raises(RunError, match="checkpoint 1 could not be written"):
    store.check()


def test_any_damage_to_any_file_is_found(copy, opened):
  store, folder = opened(copy), copy / "checkpoints/3"
  files = [p for p in folder.rglob("*") if p.is_file()]
  assert len(files) > 15
  store.verify(3)
  for path in files:
    good = path.read_bytes()
    half = len(good) // 2
    flipped = bytes([*good[:half], good[half] ^ 4, *good[half + 1 :]])
    for bad in (good[:half], b"", flipped):
      path.write_bytes(bad)
      with pytest.raises(ValueError, match=path.name):
        store.verify(3)
    path.unlink()
    with pytest.raises(ValueError, match=path.name):
      store.verify(3)
    path.write_bytes(good)
  store.verify(3)


def flip(folder: pathlib.Path) -> None:
  path = max(folder.glob("ema/ocdbt.process_0/d/*"), key=lambda p: p.name)
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 64
  path.write_bytes(data)


def empty(name: str):
  return lambda folder: os.truncate(folder / name, 0)


def unverified(damage):
  """Damage where the process died before the checksums were written."""

  def both(folder: pathlib.Path) -> None:
    damage(folder)
    (folder.parents[1] / f"checksums/{folder.name}.json").unlink()

  return both


def cut_short(folder: pathlib.Path) -> None:
  (folder / "state/manifest.ocdbt").unlink()


def stray(folder: pathlib.Path) -> None:
  (folder.parent / "9").mkdir()


@pytest.mark.parametrize(
  ("damage", "good", "bad"),
  [
    (flip, 2, "3"),
    (cut_short, 2, "3"),
    (stray, 3, "9"),
    (empty("state/_METADATA"), 2, "3"),
    (empty("metrics/metrics"), 2, "3"),
    (unverified(cut_short), 2, "3"),
    (unverified(empty("ema/_METADATA")), 2, "3"),
    (unverified(empty("_CHECKPOINT_METADATA")), 2, "3"),
  ],
)
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(
  copy, opened, capsys, damage, good, bad
):
  damage(copy / "checkpoints/3")
  store = opened(copy, max_to_keep=3)
  assert restored(store) == good
  said = capsys.readouterr().out
  assert f"damaged-{bad}" in said and said.count("\n") == 1
  assert (copy / f"damaged-{bad}").is_dir()  # nothing is thrown away
  save(store, 10, psnr=1.0)  # and the run continues
  assert restored(store) == 10 and store.best() == good


def cut(path: pathlib.Path) -> None:
  os.truncate(path, path.stat().st_size // 2)


def garble(path: pathlib.Path) -> None:
  path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def cut_array(folder: pathlib.Path) -> None:
  cut(max(folder.glob("state/ocdbt.process_0/d/*"), key=lambda p: p.name))


EVIDENCE = {
  "intact": lambda path: None,
  "missing": pathlib.Path.unlink,
  "cut": cut,
  "garbled": garble,
}
DATA = {
  "intact": lambda folder: None,
  "missing": cut_short,
  "cut": cut_array,
  "flipped": flip,
}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("evidence", EVIDENCE)
def test_each_fault_of_the_checksums_with_each_fault_of_the_data(
  copy, opened, capsys, evidence, data
):
  """Restored is what is verified, or said not to be."""
  DATA[data](copy / "checkpoints/3")
  path = copy / "checksums/3.json"
  EVIDENCE[evidence](path)
  restored_now = restore(opened(copy, max_to_keep=3))
  assert restored_now is not None
  found = restored_now[0]
  said, step = capsys.readouterr().out, int(found["state"]["step"])
  if step == 3:
    assert evidence == "missing" or (evidence, data) == ("intact", "intact")
    assert ("not verified" in said) == (evidence == "missing")
    evidence_now = checksums.verify(copy / "checkpoints/3", path)
    assert evidence_now is Evidence.VERIFIED  # written at this start
  else:
    assert step == 2 and "checkpoint 3 is damaged" in said
    assert (copy / "damaged-3").is_dir() and not path.exists()
    jax.tree.map(np.testing.assert_array_equal, found, trees(2))
  if (evidence, data) in ASSURED:
    assert step == ASSURED[evidence, data]
    jax.tree.map(np.testing.assert_array_equal, found, trees(step))


ASSURED = {  # all but a flipped bit without any evidence
  **{(x, y): 2 for x in EVIDENCE for y in DATA},
  ("intact", "intact"): 3,
  ("missing", "intact"): 3,
}
del ASSURED["missing", "flipped"]


@pytest.mark.parametrize("newest", ["cut", "garbled"])
@pytest.mark.parametrize("older", ["missing", "cut", "flipped"])
def test_a_checkpoint_without_readable_checksums_is_better_than_none(
  copy, opened, capsys, newest, older
):
  EVIDENCE[newest](copy / "checksums/3.json")
  for step in (1, 2):
    DATA[older](copy / f"checkpoints/{step}")
  store = opened(copy, max_to_keep=3)
  assert restored(store) == 3
  said = capsys.readouterr().out
  assert "checkpoint 3 is not verified" in said
  assert "checkpoint 2 is damaged" in said and "checkpoint 1 is" in said
  assert restored(store) == 3 and capsys.readouterr().out == ""


@pytest.mark.parametrize("evidence", ["cut", "garbled"])
def test_a_reader_trusts_no_checksums_that_cannot_be_read(
  copy, opened, evidence
):
  EVIDENCE[evidence](copy / "checksums/3.json")
  reader = opened(copy, CheckpointReader)
  with pytest.raises(ValueError, match="checksums/3.json"):
    reader.read(3, ema_shapes())


def test_a_reader_says_what_it_cannot_verify(copy, opened):
  (copy / "checksums/3.json").unlink()
  reader = opened(copy, CheckpointReader)
  with pytest.warns(UserWarning, match="checkpoint 3 is not verified"):
    reader.read(3, ema_shapes())


def test_the_same_checkpoint_can_be_damaged_again(copy, opened):
  for _ in range(3):
    flip(copy / "checkpoints/3")
    store = opened(copy, max_to_keep=3)
    assert restored(store) == 2
    save(store, 3)
    store.close()
  assert len(list(copy.glob("damaged-3*"))) == 3


def test_where_all_are_damaged_no_run_starts_over(copy, opened):
  for step in (1, 2, 3):
    flip(copy / f"checkpoints/{step}")
  for _ in range(2):
    with pytest.raises(UserError, match="(?s)3: .*2: .*1: ema") as refused:
      restore(opened(copy))
    assert "\n" not in str(refused.value)
  assert steps(copy) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["shape", "missing", "optimizer"])
def test_another_model_is_no_damage(copy, opened, kind):
  """As after --allow_config_change: refused, and nothing is moved."""
  new = {
    "shape": trees(0, size=2000),
    "missing": trees(0, d=jnp.ones(3)),
    "optimizer": trees(0, tx=optax.sgd(1.0, momentum=0.9)),
  }[kind]
  with pytest.raises(UserError, match="checkpoint 3 .*does not fit the config"):
    restore(opened(copy), new)
  assert steps(copy) == [1, 2, 3]


def test_a_good_checkpoint_that_cannot_be_loaded_stays(
  copy, opened, monkeypatch
):
  """Such as for want of memory."""
  store = opened(copy)

  def exhausted(*_):
    raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

  monkeypatch.setattr(store._orbax, "load_checkpointables", exhausted)
  with pytest.raises(RunError, match="3 is intact.*out of memory"):
    restore(store)
  assert steps(copy) == [1, 2, 3]


def test_a_death_before_the_checksums_leaves_a_good_checkpoint(
  copy, opened, monkeypatch
):
  """Even where an older one of that number had other checksums."""
  shutil.rmtree(copy / "checkpoints/3")
  store = opened(copy)
  with monkeypatch.context() as dying:
    dying.setattr(checksums, "write", lambda *_: None)
    save(store, 3)
  assert restored(opened(copy)) == 3


def test_only_a_writer_clears_away_what_a_killed_save_left(copy, opened):
  left = copy / "checkpoints/4.orbax-checkpoint-tmp"
  left.mkdir()
  before = sorted(copy.rglob("*"))
  reader = opened(copy, CheckpointReader)
  for step in (1, 2, 3):
    found = reader.read(step, ema_shapes())["ema"]
    np.testing.assert_array_equal(found["w"], trees(step)["ema"]["w"])
  assert sorted(copy.rglob("*")) == before
  writer = opened(copy)
  assert writer.steps == [1, 2, 3]
  save(writer, 4)
  assert not left.exists()


def test_a_reader_names_a_damaged_checkpoint(copy, opened):
  flip(copy / "checkpoints/3")
  reader = opened(copy, CheckpointReader)
  with pytest.raises(ValueError, match="ema/ocdbt"):
    reader.read(3, ema_shapes())
  empty("metrics/metrics")(copy / "checkpoints/2")
  with pytest.raises(UserError, match="2/metrics/metrics is damaged"):
    opened(copy, CheckpointReader)
  assert steps(copy) == [1, 2, 3]


def test_a_folder_that_cannot_be_is_a_users_mistake(tmp_path, opened):
  (tmp_path / "checkpoints").write_text("a file")
  with pytest.raises(UserError, match="checkpoints cannot be written"):
    opened()
