"""Folders that mirror a store, with the files of runs but without training."""

import pathlib
import time

import jax
import pytest
from support.stored_run import begin, contents, remove, save

import jaxgen
from jaxgen.api import train_until
from jaxgen.errors import UserError
from jaxgen.parallel.preemption import Stop
from jaxgen.stores import lease, mirror, sender, training
from jaxgen.stores.store import Store, StoreError
from jaxgen.workdir import lock


@pytest.fixture
def store(tmp_path):
  return Store(f"file://{tmp_path}/store/run")


@pytest.fixture
def machine(tmp_path, monkeypatch):
  """A function that moves to a machine, with a cache of its own."""

  def machine(name):
    monkeypatch.setenv("JAXGEN_CACHE_DIR", str(tmp_path / name))

  machine("a")
  return machine


@pytest.fixture(autouse=True)
def fast(monkeypatch):
  monkeypatch.setattr(sender, "PAUSE", 0.0)


def train(store, *actions, stop=None):
  """Do something as a training run does, in its folder."""
  with training.mirrored(store.address, stop or Stop()) as folder:
    (folder / lock.NAME).touch()
    for action in actions:
      action(folder)
  return folder


def stored(store):
  return {x: store.read(x) for x in store.list()}


def fail(monkeypatch, *names):
  """Let methods of stores fail."""

  def failing(*args, **kwargs):
    raise StoreError("no network")

  for name in names:
    monkeypatch.setattr(Store, name, failing)


def test_the_store_is_as_the_folder_and_another_folder_as_the_store(
  store, machine
):
  folder = train(store, begin, lambda x: save(x, 5))
  assert stored(store) == contents(folder)
  machine("b")
  copy = mirror.local(store.address)
  assert copy != folder and contents(copy) == contents(folder)


def test_only_what_has_changed_is_fetched_and_sent(store, machine, monkeypatch):
  folder = train(store, begin, lambda x: save(x, 5))
  machine("b")
  copy = mirror.local(store.address)
  machine("a")
  train(
    store,
    lambda x: save(x, 6),
    lambda x: remove(x, 5),
    lambda x: (x / "metrics.csv").write_text("step,loss\n1,2\n2,1\n"),
  )
  machine("b")
  fetched = []
  download = Store.download

  def spy(self, name, path):
    fetched.append(name)
    download(self, name, path)

  monkeypatch.setattr(Store, "download", spy)
  mirror.local(store.address)
  new = {x for x in contents(folder) if "6" in x}
  assert (
    set(fetched) == {"metrics.csv", *new} and fetched[-1] == "checksums/6.json"
  )
  assert contents(copy) == contents(folder) == stored(store)
  fetched.clear()
  mirror.local(store.address)
  train(store)
  assert not fetched


def test_a_checkpoint_half_sent_does_not_exist(store, machine):
  train(store, begin, lambda x: save(x, 5))
  whole = stored(store)
  store.write("checkpoints/6/ema/d/array", b"numb")
  machine("b")
  assert contents(mirror.local(store.address)) == whole
  train(store)
  assert stored(store) == whole


def test_a_checkpoint_being_deleted_is_not_sent(store):
  def delete_in_part(folder: pathlib.Path):
    save(folder, 5)
    save(folder, 6)
    (folder / "checkpoints/5/ema/d/array").unlink()

  train(store, begin, delete_in_part)
  assert {x for x in store.list() if "checksums" in x} == {"checksums/6.json"}


def test_what_could_not_be_sent_is_sent_by_the_next_start(
  store, machine, monkeypatch, capsys
):
  folder = train(store, begin, lambda x: save(x, 5))
  whole = stored(store)
  with monkeypatch.context() as m, pytest.raises(UserError) as error:
    train(store, lambda x: save(x, 6), lambda x: fail(m, "write", "upload"))
  assert "no network" in str(error.value) and str(folder) in str(error.value)
  assert capsys.readouterr().out.count("cannot be written") == 1
  assert stored(store) == whole
  assert mirror.local(store.address) == folder
  assert (folder / "checksums/6.json").is_file()
  train(store)
  assert stored(store) == contents(folder) and len(stored(store)) > len(whole)


@pytest.mark.parametrize("count", range(3))  # of its two files and its mark
def test_wherever_sending_ends_readers_see_the_last_whole_checkpoint(
  store, machine, monkeypatch, count
):
  before = contents(train(store, begin, lambda x: save(x, 5)))
  with monkeypatch.context() as m, pytest.raises(UserError):
    train(store, lambda x: save(x, 6), lambda x: fail_after(m, count))
  assert len(store.list()) >= len(before) + count
  machine("b")
  assert contents(mirror.local(store.address)) == before


def test_a_store_that_is_away_for_a_while_gets_all_when_it_is_back(
  store, monkeypatch, capsys
):
  monkeypatch.setattr(sender, "LOOK", 0.01)
  monkeypatch.setattr(sender, "OFTEN", 0.01)
  said = []

  def heard(text):
    end = time.monotonic() + 10
    while text not in "".join(said) and time.monotonic() < end:
      said.append(capsys.readouterr().out)
      time.sleep(0.01)
    assert text in "".join(said)

  def away(folder):
    with monkeypatch.context() as m:
      fail(m, "upload")
      save(folder, 5)
      heard("cannot be written (no network)")
      assert not any("checksums" in x for x in store.list())
    heard("can be written again")
    assert "checksums/5.json" in store.list()

  train(store, begin, away)


def fail_after(monkeypatch, count):
  """Let writes fail after a number of them."""
  write, done = Store.write, []

  def failing(self, name, content):
    if not name.startswith("."):
      done.append(name)
      if len(done) > count:
        raise StoreError("no network")
    write(self, name, content)

  monkeypatch.setattr(Store, "write", failing)


def test_a_run_resumed_elsewhere_replaces_what_was_not_sent(
  store, machine, monkeypatch
):
  train(store, begin, lambda x: save(x, 5))
  with monkeypatch.context() as m, pytest.raises(UserError):
    train(store, lambda x: save(x, 6, "lost"), lambda x: fail(m, "write"))
  machine("b")
  monkeypatch.setattr(lease, "SILENCE", 0.0)
  other = train(store, lambda x: save(x, 6, "kept"))
  machine("a")
  assert contents(train(store)) == contents(other)


def test_a_holder_that_lost_its_lock_sends_nothing_and_stops(
  store, monkeypatch
):
  monkeypatch.setattr(lease, "BEAT", 0.01)
  stop, before = Stop(), []

  def lose(folder):
    before.append(stored(store))
    store.write(".lock-1", lease.Holder(folder="other").to_json())
    save(folder, 6)
    end = time.monotonic() + 10
    while stop.signal is None and time.monotonic() < end:
      time.sleep(0.01)

  with pytest.raises(UserError, match="taken this run over"):
    train(store, begin, lose, stop=stop)
  assert "checksums/6.json" not in store.list()


def test_a_folder_in_use_is_read_as_it_is(store, monkeypatch):
  def read(folder):
    with monkeypatch.context() as m:
      fail(m, "list")
      assert mirror.watched(store.address) == (folder, True)
      with pytest.raises(UserError, match="in use by another .* this machine"):
        train(store)

  train(store, begin, read)


def test_several_processes_are_refused(monkeypatch, machine):
  monkeypatch.setattr(jax.distributed, "is_initialized", lambda: True)
  monkeypatch.setattr(jax, "process_count", lambda: 2)
  with pytest.raises(UserError, match="^workdir=gs://b/x: several processes"):
    train_until(Stop(), jaxgen.config("textures_patch_ae:smoke"), "gs://b/x")


def test_other_files_are_left_alone(store, machine):
  store.write("thesis.tex", b"")
  for action in (lambda: mirror.local(store.address), lambda: train(store)):
    with pytest.raises(UserError, match="holds no run"):
      action()
  assert list(store.list()) == ["thesis.tex"]
  with pytest.raises(UserError, match="holds no run"):
    mirror.local(f"{store.address}/none")
