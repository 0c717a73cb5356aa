"""Locks in a store."""

import threading
import time

import pytest

from jaxgen.errors import UserError
from jaxgen.stores import lease
from jaxgen.stores.store import Store


@pytest.fixture
def store(tmp_path):
  return Store(f"file://{tmp_path}/store")


def locks(store):
  return sorted(store.list())


def test_one_process_holds_it_until_it_is_released(store):
  first = lease.acquire(store, "a")
  with pytest.raises(UserError, match="in use by another .*, process [0-9]+"):
    lease.acquire(store, "b")
  assert lease.is_held(store) and first.check()
  first.release()
  assert locks(store) == [] and not lease.is_held(store)
  assert lease.acquire(store, "b").check()


def test_of_many_that_ask_at_once_one_gets_it(store):
  got, ready = [], threading.Barrier(8)

  def ask(name):
    ready.wait()
    try:
      got.append(lease.acquire(store, name))
    except UserError:
      pass

  threads = [threading.Thread(target=ask, args=(str(i),)) for i in range(8)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert len(got) == 1 and got[0].check()


def test_a_silent_holder_is_taken_over_and_learns_it(
  store, monkeypatch, capsys
):
  old, now = lease.acquire(store, "a"), time.time()
  with monkeypatch.context() as m:
    m.setattr(lease.time, "time", lambda: now + lease.SILENCE + 1)
    new = lease.acquire(store, "b")
  assert "taking over" in capsys.readouterr().out
  assert new.check() and not old.check() and old.lost
  old.beat()
  old.release()
  assert locks(store) == [".lock-2"] and new.check()


def test_only_its_own_lock_is_released(store):
  old = lease.acquire(store, "a")
  store.write(".lock-1", lease.Holder(folder="b").to_json())
  old.beat()
  old.release()
  assert old.lost and b'"b"' in (store.read(".lock-1") or b"")


def test_one_that_is_released_meanwhile_is_asked_for_again(store, monkeypatch):
  lease.acquire(store, "a")
  read, asked = store.read, []

  def released(name):
    asked.append(name)
    if len(asked) == 1:
      store.delete([name])
    return read(name)

  monkeypatch.setattr(store, "read", released)
  lease.acquire(store, "b")
  assert locks(store) == [".lock-1"]


def test_a_beat_is_a_sign_of_life(store, monkeypatch):
  held, now = lease.acquire(store, "a"), time.time()
  monkeypatch.setattr(lease.time, "time", lambda: now + lease.SILENCE + 1)
  assert not lease.is_held(store)
  held.beat()
  assert lease.is_held(store)


def test_the_owner_of_the_folder_need_not_wait(store, capsys):
  lease.acquire(store, "a")
  assert lease.acquire(store, "a").check()
  assert locks(store) == [".lock-2"] and capsys.readouterr().out == ""


def test_a_damaged_lock_is_of_a_dead_process(store):
  store.write(".lock-3", b"{")
  assert lease.acquire(store, "a").check() and locks(store) == [".lock-4"]


def test_the_loss_of_a_lock_is_told(store, monkeypatch):
  monkeypatch.setattr(lease, "BEAT", 0.01)
  told = threading.Event()
  with lease.held(store, "a", on_lost=told.set) as held:
    store.delete(locks(store))
    assert told.wait(10) and held.lost


def test_a_store_that_cannot_exclude_warns(store, monkeypatch, capsys):
  def create(*args):
    raise NotImplementedError

  monkeypatch.setattr(store, "create", create)
  assert lease.acquire(store, "a").check()
  assert "start one only" in capsys.readouterr().out
