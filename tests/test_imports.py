"""The import directions of docs/architecture.md."""

import ast
import pathlib

import pytest
from support.configs import ROOT

PACKAGE = pathlib.Path(ROOT) / "jaxgen"
GROUND = (
  "typing rng errors trees images bicubic pictures progress windows batching"
  " callables"
).split()
LAYERS = (  # rooms import rooms of earlier layers only
  GROUND,
  ("formats",),
  ("parallel",),
  ("config",),
  ("diffusion", "metrics", "data"),
  ("restoration", "losses", "models"),
  ("latents",),
  ("tasks",),
  ("workdir",),
  ("stores",),
  ("runs",),
  ("train", "sample", "monitor", "interop"),
  ("planning", "evaluation"),
  ("api", "report"),
  ("sweeps", "laws", "explore"),
  ("cli",),
  ("__main__", "__init__"),
)
NEVER = {  # not even though it is in an earlier layer
  "workdir": {"tasks", "models"},
  "monitor": {"tasks", "models", "latents", "data", "metrics", "parallel"},
}
FENCED = {
  "flax": "models",
  "optax": "train",
  "orbax": "workdir",
  "grain": "data",
  "tensorflow_datasets": "data",
}


def room_of(path: pathlib.Path) -> str:
  """The folder below `jaxgen`, or the module for one directly in it."""
  return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: pathlib.Path) -> set[str]:
  """The modules that a file imports anywhere, as `a.b.c`."""
  modules = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      modules |= {x.name for x in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}: relative import"
      modules |= {f"{node.module}.{x.name}" for x in node.names}
  return modules


def rooms() -> dict[str, set[str]]:
  """The modules that each room imports."""
  found: dict[str, set[str]] = {}
  for path in sorted(PACKAGE.rglob("*.py")):
    if room_of(path) != "configs":  # a link to the folder of configs
      found.setdefault(room_of(path), set()).update(imports(path))
  return found


ROOMS = rooms()
LAYER = {room: i for i, layer in enumerate(LAYERS) for room in layer}


def test_every_room_has_a_layer():
  assert ROOMS.keys() == LAYER.keys()


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room):
  inner = {x.split(".")[1] for x in ROOMS[room] if x.startswith("jaxgen.")}
  inner &= LAYER.keys()  # the rest are attributes, as in `jaxgen.load`
  if room in GROUND:
    assert inner <= {*GROUND}
    return
  below = {x for x in LAYER if LAYER[x] < LAYER[room]}
  assert inner - {room} <= below - NEVER.get(room, set())


@pytest.mark.parametrize(("framework", "home"), FENCED.items())
def test_a_framework_is_imported_in_one_room(framework, home):
  users = {
    room
    for room, modules in ROOMS.items()
    if any(x.split(".")[0] == framework for x in modules)
  }
  assert users == {home}
