"""Stores: a folder, and a bucket on loopback."""

import random
import types

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem

from jaxgen.errors import UserError
from jaxgen.formats import addresses
from jaxgen.stores import store as stores
from jaxgen.stores.store import Store, StoreError

bucket = pytest.importorskip("support.bucket")


@pytest.fixture(scope="module")
def server():
  with bucket.serving() as address:
    yield address


@pytest.fixture(params=["file", "gs"])
def store(request, tmp_path, monkeypatch):
  if request.param == "file":
    return Store(f"file://{tmp_path}/store")
  monkeypatch.setenv(bucket.VARIABLE, request.getfixturevalue("server"))
  return Store(f"gs://{bucket.NAME}/{tmp_path.name}")


def test_objects_are_what_was_written(store, tmp_path, monkeypatch):
  assert store.list() == {}
  (tmp_path / "a").write_bytes(b"first")
  store.upload(tmp_path / "a", "x/a")
  store.write("x/y/b", b"")
  before = store.list()
  assert {name: x.size for name, x in before.items()} == {"x/a": 5, "x/y/b": 0}
  monkeypatch.setattr(stores, "WHOLE", 3)  # now by the other way
  (tmp_path / "a").write_bytes(b"other")
  store.upload(tmp_path / "a", "x/a")
  after = store.list()
  assert after["x/a"].tag != before["x/a"].tag
  assert after["x/y/b"] == before["x/y/b"]
  store.download("x/a", tmp_path / "new/a")
  assert (tmp_path / "new/a").read_bytes() == store.read("x/a") == b"other"


def test_an_object_is_created_once(store):
  assert store.create("lock", b"mine") and not store.create("lock", b"yours")
  assert store.read("lock") == b"mine"
  store.delete(["lock", "lock"])
  assert store.read("lock") is None and store.create("lock", b"yours")


def test_a_store_that_looks_before_it_writes_does_not_create(store):
  store._fs = DirFileSystem("/", fsspec.filesystem("memory"))
  with pytest.raises(NotImplementedError):
    store.create("lock", b"")


def test_what_is_gone_is_said_and_leaves_nothing(store, tmp_path):
  with pytest.raises(FileNotFoundError):
    store.download("nothing", tmp_path / "new/a")
  with pytest.raises(FileNotFoundError):
    store.upload(tmp_path / "nothing", "a")
  assert not list((tmp_path / "new").iterdir())


def test_an_address_may_have_lost_slashes():
  for text in ("gs://b/x", "gs:/b/x", "gs://b/x/"):
    assert addresses.canonical(text) == "gs://b/x"
  assert addresses.canonical("file:/tmp/x") == "file:///tmp/x"


def test_faults_are_one_line(monkeypatch, server):
  monkeypatch.setenv(bucket.VARIABLE, server)
  with pytest.raises(StoreError, match="no such bucket"):
    Store("gs://nowhere/x").list()
  with pytest.raises(UserError, match="fsspec knows no store nowhere://"):
    Store("nowhere://b/x")


def test_a_package_that_is_missing_is_named(monkeypatch):
  def missing(name):
    raise ImportError(f"Please install {name}fs")

  monkeypatch.setattr(stores.fsspec, "get_filesystem_class", missing)
  with pytest.raises(UserError, match=r'pip install "jaxgen\[gcs\]"'):
    Store("gs://b/x")
  with pytest.raises(UserError, match="install s3fs"):
    Store("s3://b/x")


def test_without_network_the_reason_is_said(monkeypatch):
  at_once = types.SimpleNamespace(random=lambda: -random.randint(99, 999))
  monkeypatch.setattr("gcsfs.retry.random", at_once)  # between its six tries
  monkeypatch.setenv(bucket.VARIABLE, "http://127.0.0.1:9")
  with pytest.raises(StoreError, match="Cannot connect to host 127.0.0.1:9"):
    Store("gs://b/x").list()
