"""Files of torch.save, written without torch: stand-ins for its classes give a
pickle with the same globals and persistent ids."""

import collections
import io
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest

STORAGES = {
  "float32": "FloatStorage",
  "float64": "DoubleStorage",
  "float16": "HalfStorage",
  "uint8": "ByteStorage",
  "int8": "CharStorage",
  "int16": "ShortStorage",
  "int32": "IntStorage",
  "int64": "LongStorage",
  "bool": "BoolStorage",
  "bfloat16": "BFloat16Storage",
  "complex64": "ComplexFloatStorage",
}


class Storage:
  def __init__(self, values, kind=""):
    self.values = values
    self.kind = kind or STORAGES[values.dtype.name]


class Tensor:
  """A strided view of a storage, pickled by a call of torch._utils.`call`."""

  def __init__(
    self, storage, size, stride, offset=0, call="tensor_v2", bits=None
  ):
    hooks = collections.OrderedDict()
    self.arguments = (storage, offset, size, stride, False, hooks)
    self.arguments += () if bits is None else (bits,)
    self.call = getattr(sys.modules["torch._utils"], f"_rebuild_{call}")

  def __reduce__(self):
    return self.call, self.arguments


class Parameter:
  def __init__(self, tensor):
    self.tensor = tensor

  def __reduce__(self):
    call = sys.modules["torch._utils"]._rebuild_parameter
    return call, (self.tensor, True, collections.OrderedDict())


class Runs:
  """A call that a hostile pickle makes."""

  def __init__(self, call, *arguments):
    self.call, self.arguments = call, arguments

  def __reduce__(self):
    return self.call, self.arguments


def stand_in(monkeypatch, module, *names, kind=None):
  """Give a module functions that must not be called, or classes of a kind, to
  be named by pickles."""
  found = sys.modules.get(module) or types.ModuleType(module)
  for name in names:
    if kind:
      thing = type(name, (kind,), {})
    else:
      thing = eval("lambda *a: pytest.fail('called')", {"pytest": pytest})
    thing.__module__, thing.__name__, thing.__qualname__ = module, name, name
    setattr(found, name, thing)
  monkeypatch.setitem(sys.modules, module, found)
  parent = module.rpartition(".")[0]
  if parent and parent not in sys.modules:
    stand_in(monkeypatch, parent)
  return found


def stand_in_torch(monkeypatch):
  """The modules that pickles of tensors name; returns `torch`."""
  calls = "_rebuild_tensor_v2", "_rebuild_parameter"
  stand_in(monkeypatch, "torch._utils", *calls)
  return stand_in(monkeypatch, "torch", *STORAGES.values(), kind=object)


class StoragePickler(pickle.Pickler):
  """Replaces storages by references with a device and more, and keeps them."""

  def __init__(self, file, protocol, device, *rest):
    super().__init__(file, protocol=protocol)
    self.storages, self.device, self.rest = [], device, rest

  def persistent_id(self, obj):
    if not isinstance(obj, Storage):
      return None
    if obj not in self.storages:
      self.storages.append(obj)
    kind = getattr(sys.modules["torch"], obj.kind)
    key = str(self.storages.index(obj))
    return ("storage", kind, key, self.device, obj.values.size, *self.rest)


def write(path, content, protocol=2, order="little", name="archive"):
  """torch.save, as far as it is needed here."""
  file = io.BytesIO()
  pickler = StoragePickler(file, protocol, "cuda:0")
  pickler.dump(content)
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr(f"{name}/data.pkl", file.getvalue())
    archive.writestr(f"{name}/byteorder", order)
    for key, storage in enumerate(pickler.storages):
      stored = storage.values.astype(storage.values.dtype.newbyteorder(order))
      archive.writestr(f"{name}/data/{key}", stored.tobytes())
    archive.writestr(f"{name}/version", "3\n")


def write_legacy(path, content, order="little", count=None):
  """torch.save without its zip archives."""
  path.write_bytes(legacy(content, order, count))


def legacy(content, order="little", count=None):
  """The bytes of such a file."""
  file = io.BytesIO()
  machine = {"protocol_version": 1001, "little_endian": order == "little"}
  for plain in (0x1950A86A20F9469CFC6C, 1001, machine):
    pickle.dump(plain, file, protocol=2)
  pickler = StoragePickler(file, 2, "cpu", None)
  pickler.dump(content)
  storages = pickler.storages
  pickle.dump([str(i) for i in range(len(storages))], file, protocol=2)
  for storage in storages:
    size = storage.values.size if count is None else count
    file.write(size.to_bytes(8, order, signed=True))
    stored = storage.values.astype(storage.values.dtype.newbyteorder(order))
    file.write(stored.tobytes())
  return file.getvalue()


def dense(values):
  values = np.ascontiguousarray(values)
  strides = tuple(x // values.itemsize for x in values.strides)
  return Tensor(Storage(values.reshape(-1)), values.shape, strides)
