"""Output folders are replaced as a whole, or not at all."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from support.pictures import read

from jaxgen.cli.output_folder import replacing
from jaxgen.formats.png import add_software, read_software, write_png

IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def names(folder):
  files = (x for x in folder.rglob("*") if x.is_file())
  return sorted(x.relative_to(folder).as_posix() for x in files)


def write(out, *paths, verb="sample"):
  with replacing(out, verb) as folder:
    for path in paths:
      write_png(folder / path, IMAGE)


def test_old_pictures_of_the_verb_go_and_everything_else_stays(tmp_path):
  out = tmp_path / "out"
  write(out, "0.png", "1.png", "a/2.png")
  write(out, "0.png", "a/3.png")
  assert names(out) == ["0.png", "a/3.png"]
  write_png(out / "mine.png", IMAGE)
  (out / "notes.txt").write_text("mine")
  write(out, "compare.png", verb="reconstruct")
  write(out, "5.png")
  assert names(out) == ["5.png", "compare.png", "mine.png", "notes.txt"]
  assert names(tmp_path) == [f"out/{x}" for x in names(out)]
  np.testing.assert_array_equal(read(out / "5.png"), IMAGE)


def test_a_video_goes_with_the_pictures_of_its_call(tmp_path):
  with replacing(tmp_path / "out", "sample") as folder:
    write_png(folder / "0.png", IMAGE)
    (folder / "denoising.gif").write_bytes(b"GIF")
  write(tmp_path / "out", "0.png")
  assert names(tmp_path / "out") == ["0.png"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path, error):
  out = tmp_path / "out"
  write(out, "0.png")
  with pytest.raises(error), replacing(out, "sample") as folder:
    write_png(folder / "1.png", IMAGE)
    raise error
  assert names(tmp_path) == ["out/0.png"]


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
  code = (
    "import os, pathlib, signal, sys\n"
    "from jaxgen.cli.output_folder import replacing\n"
    "with replacing(pathlib.Path(sys.argv[1]), 'sample') as folder:\n"
    "  (folder / 'x.png').write_bytes(b'x')\n"
    "  os.kill(os.getpid(), signal.SIGKILL)\n"
  )
  out = tmp_path / "out"
  died = subprocess.run([sys.executable, "-c", code, out])
  assert died.returncode == -signal.SIGKILL
  assert not out.exists() and len(names(tmp_path)) == 1
  with replacing(out, "sample") as one, replacing(out, "sample") as two:
    assert one.is_dir() and two.is_dir()  # the living keep theirs
    write_png(one / "0.png", IMAGE)
    write_png(two / "1.png", IMAGE)
  assert names(tmp_path) == ["out/0.png"]


def test_the_current_folder_and_links_can_be_output_folders(
  tmp_path, monkeypatch
):
  (tmp_path / "real").mkdir()
  (tmp_path / "link").symlink_to("real")
  monkeypatch.chdir(tmp_path / "real")
  inode = os.stat(".").st_ino
  write(tmp_path / "link", "0.png")
  write(tmp_path / "link", "1.png")
  assert names(tmp_path / "real") == ["1.png"]
  assert os.stat(".").st_ino == inode == os.stat(tmp_path / "link").st_ino


def test_pictures_carry_the_name_of_their_program(tmp_path):
  path = tmp_path / "a.png"
  write_png(path, IMAGE)
  assert read_software(path) == ""
  add_software(path, "jaxgen sample")
  assert read_software(path) == "jaxgen sample"
  np.testing.assert_array_equal(read(path), IMAGE)
  path.write_bytes(b"no picture")
  assert read_software(path) == "" == read_software(tmp_path / "missing")
