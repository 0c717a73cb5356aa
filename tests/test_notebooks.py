import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
  monkeypatch.setenv("JAXGEN_VARIANT", "smoke")
  monkeypatch.setenv("JAXGEN_STEPS", "2")
  monkeypatch.setenv("JAXGEN_WORKDIR", str(tmp_path / "run"))
  monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "1")
  notebook = nbformat.read(path, as_version=4)
  for cell in notebook.cells:
    assert not cell.get("outputs"), "committed without outputs"
  client = NotebookClient(
    notebook,
    timeout=900,  # a cell, on a busy machine
    kernel_name="python3",
    resources={"metadata": {"path": str(path.parent)}},
  )
  client.execute()
  pictures = [
    output
    for cell in notebook.cells
    for output in cell.get("outputs", [])
    if "image/png" in output.get("data", {})
  ]
  assert len(pictures) >= 5
